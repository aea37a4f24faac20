#include <algorithm>

#include "teap/server_impl.h"

/// The server's part of draft-lear-eap-teap-brski, between Request-Action and enrolment.
namespace acmetool::teap
{
namespace
{

constexpr std::size_t kLargestVoucher = 48U << 10U; // with its neighbours it must fit into one message

} // namespace

void ServerSession::Impl::handle_voucher_request(const Tlvs& tlvs)
{
    const auto* asked = find(tlvs, settings->numbers.request_voucher);
    if (asked == nullptr || asked->value.empty()) {
        fail_with(error_code::kUnexpectedTlvs, "the peer did not request the voucher that it needs");
        return;
    }
    state = State::voucher;
    vouchers->request_voucher(
        {peer(), request_id, asked->value, settings->hold},
        [self = shared_from_this()](const enrol::VoucherDecision& decision) { self->vouched(decision); });
}

void ServerSession::Impl::vouched(const enrol::VoucherDecision& decision)
{
    const auto& numbers = settings->numbers;
    if (const auto* refused = std::get_if<enrol::VoucherRefused>(&decision)) {
        fail_with(refused->unavailable ? numbers.masa_unavailable : numbers.masa_refused, refused->text);
        return;
    }
    if (const auto* later = std::get_if<enrol::VoucherLater>(&decision)) {
        const auto seconds = std::clamp<std::int64_t>(later->retry_after.count(), 1, 86'400);
        fail_with(numbers.masa_unavailable, "the voucher is not available yet",
                  {retry_after_tlv(static_cast<std::uint32_t>(seconds), numbers)});
        return;
    }
    const auto& granted = std::get<enrol::VoucherGranted>(decision).voucher;
    if (granted.empty() || granted.size() > kLargestVoucher) {
        fail_with(numbers.masa_refused, "a voucher too large for a TLV");
        return;
    }
    authority.csr_attributes(
        peer(), settings->label,
        [self = shared_from_this(), granted](const enrol::AttributesDecision& attributes_decision) {
            if (self->take_attributes(attributes_decision)) self->send_voucher(granted);
        });
}

void ServerSession::Impl::send_voucher(Bytes granted)
{
    state = State::action;
    voucher = Voucher::sent;
    Tlvs tlvs{{false, settings->numbers.voucher, std::move(granted)}};
    // Section 8.1.3: CSR-Attributes go "either along with the BRSKI-Voucher TLV or at any time earlier"; a
    // peer that requests them afterwards, as in the figures, gets them again.
    if (auto own = attributes_tlv()) tlvs.push_back(std::move(*own));
    send_tlvs(tlvs);
}

/// The first message after the voucher reports whether it was accepted. False if the conversation ends here.
bool ServerSession::Impl::heard_of_voucher(const Tlvs& tlvs)
{
    const auto& numbers = settings->numbers;
    if (const auto* error = find(tlvs, tlv_type::kError)) {
        const auto code = parse_error(*error);
        if (code && (*code == numbers.invalid_signature || *code == numbers.invalid_voucher ||
                     *code == numbers.invalid_tls_signer)) {
            const auto why = name_of_error(*code, numbers);
            vouchers->voucher_status(peer(), false, why);
            reject("the peer reported: " + why);
            return false;
        }
    }
    voucher = Voucher::taken;
    summary.vouched = true;
    vouchers->voucher_status(peer(), true, "");
    return true;
}

} // namespace acmetool::teap
