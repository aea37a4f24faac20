#include <algorithm>
#include <array>

#include <fmt/core.h>

#include "base/text.h"
#include "crypto/cms.h"
#include "crypto/csr_remake.h"
#include "crypto/path.h"
#include "crypto/request_info.h"
#include "enrol/device_label.h"
#include "teap/server_impl.h"

namespace acmetool::teap
{
namespace
{

using enrol::Refusal;

constexpr unsigned kMostNaks = 3;
constexpr std::size_t kLargestVoucher = 48U << 10U; // with its neighbours it has to fit into one message
constexpr std::chrono::seconds kRetryLater{60};

/// The draft's table, "Error Handling"; what it leaves open is the closest code of RFC 7170 section 4.2.6.
std::uint32_t error_of(Refusal refusal)
{
    switch (refusal) {
    case Refusal::bad_identity:
        return error_code::kBadIdentityInCsr;
    case Refusal::bad_request:
    case Refusal::pop_failed:
        return error_code::kBadCsr;
    case Refusal::unauthenticated:
        return error_code::kClientCertificateRejected;
    case Refusal::forbidden:
    case Refusal::not_found:
        return error_code::kUnspecifiedAuthorization;
    case Refusal::too_many:
    case Refusal::unavailable:
    case Refusal::internal:
        return error_code::kInternalCaError;
    }
    return error_code::kInternalCaError;
}

/// The first extension asked for that nobody told the peer to ask for; RFC 9930 section 3.11.2 wants the
/// unexpected looked for. An extension that the CA sets anyway does no harm.
std::optional<std::string> unsupported_extension(const crypto::Csr& csr, const enrol::CsrAttributes& told)
{
    static constexpr std::array<std::string_view, 4> kHarmless{
        "2.5.29.17", "2.5.29.15", "2.5.29.37", "2.5.29.14"}; // SAN, key usage, extended, key identifier
    for (auto& oid : crypto::requested_extensions(csr))
        if (std::find(kHarmless.begin(), kHarmless.end(), oid) == kHarmless.end() &&
            std::find(told.extensions.begin(), told.extensions.end(), oid) == told.extensions.end())
            return oid;
    return std::nullopt;
}

/// `certificate` and the intermediates above it, without the self-signed one.
std::vector<crypto::Certificate> chain_of(const crypto::Certificate& certificate,
                                          const std::vector<crypto::Certificate>& cas)
{
    std::vector<crypto::Certificate> chain{certificate};
    while (chain.size() <= cas.size()) {
        const auto issuer = std::find_if(cas.begin(), cas.end(), [&](const auto& ca) {
            return chain.back().is_issued_by(ca) && !crypto::is_self_signed(ca);
        });
        if (issuer == cas.end()) break;
        chain.push_back(*issuer);
    }
    return chain;
}

} // namespace

void ServerSession::Impl::authorize()
{
    const auto certificates = tls->peer_certificates();
    if (certificates.empty()) {
        fail_with(error_code::kClientCertificateNotSupplied, "the peer showed no certificate");
        return;
    }
    summary.subject = base::printable(certificates.front().subject(), 200);
    if (const auto serial = enrol::device_serial(certificates.front())) summary.serial_number = *serial;
    if (vouchers != nullptr && settings->ask != AskPolicy::never && vouchers->wants_voucher(peer())) {
        // Whether the device is welcome, and under which name, is found out when its voucher is asked for.
        voucher = Voucher::wanted;
        ask = true;
        begin_phase_2();
        return;
    }
    state = State::authorizing;
    authority.csr_attributes(peer(), settings->label,
                             [self = shared_from_this()](const enrol::AttributesDecision& decision) {
                                 self->authorized(decision);
                             });
}

bool ServerSession::Impl::derive_keys()
{
    const bool tls_1_3 = tls->version() == "TLSv1.3";
    auto made = KeySchedule::start(tls_1_3 ? settings->kdf.value_or(Kdf::rfc9427) : Kdf::rfc7170,
                                   tls->hash_is_sha384() ? Hash::sha384 : Hash::sha256,
                                   [this](std::string_view label, std::optional<ByteView> with,
                                          std::size_t size) { return tls->export_key(label, with, size); });
    if (!made) return false;
    keys.emplace(std::move(*made));
    return keys->step({}, {}).has_value();
}

/// False where the conversation ends here.
bool ServerSession::Impl::take_attributes(const enrol::AttributesDecision& decision)
{
    if (const auto* refused = std::get_if<enrol::Refused>(&decision)) {
        fail_with(refused->why == Refusal::unavailable || refused->why == Refusal::internal
                      ? error_code::kInfrastructureUnavailable
                      : error_of(refused->why),
                  refused->text);
        return false;
    }
    attributes = std::get<enrol::CsrAttributes>(decision);
    if (attributes.identifiers.empty()) {
        // Who is not recognised is told what any request has to look like, and no name.
        fail_with(error_code::kClientCertificateRejected,
                  "the certificate is neither a known manufacturer's nor one that was issued here");
        return false;
    }
    summary.issued_here = attributes.issued_here;
    for (const auto& one : attributes.identifiers)
        summary.names.push_back(one.value);
    return true;
}

void ServerSession::Impl::authorized(const enrol::AttributesDecision& decision)
{
    if (!take_attributes(decision)) return;
    const auto certificate = tls->peer_certificates().front();
    ask = settings->ask == AskPolicy::always ||
          (settings->ask == AskPolicy::needed &&
           (!attributes.issued_here ||
            now() >= settings->renew.due(certificate.not_before(), certificate.not_after())));
    if (!ask && !settings->cert_only && tls->version() == "TLSv1.3") {
        // RFC 9427 section 2.2.1: the strict reading wants phase 2 data besides the proof of the tunnel.
        fail_with(error_code::kUnspecifiedAuthorization, "a certificate alone does not let in under TLS 1.3");
        return;
    }
    begin_phase_2();
}

void ServerSession::Impl::begin_phase_2()
{
    if (!derive_keys()) {
        reject("the tunnel's keys cannot be derived");
        return;
    }
    if (ask && settings->order == Order::binding_last)
        send_action();
    else
        send_binding();
}

Tlv ServerSession::Impl::binding_request()
{
    auto made = make_request(*keys, outer, peer_version);
    if (!made) return result_tlv(Status::failure);
    request = *made;
    return request->encode();
}

void ServerSession::Impl::send_binding()
{
    state = State::binding;
    send_tlvs({binding_request(), result_tlv(Status::success)});
}

void ServerSession::Impl::send_action()
{
    state = State::action;
    if (voucher == Voucher::wanted) {
        // draft-lear-eap-teap-brski section 8.1.1: "The Status field of the Request-Action TLV MUST be set to
        // Failure." All TLVs are empty: what they hold is for devices that brought a voucher.
        send_tlvs({request_action_tlv(Status::failure, {{false, settings->numbers.request_voucher, {}},
                                                        trusted_server_root_tlv({}),
                                                        {false, tlv_type::kCsrAttributes, {}},
                                                        {false, tlv_type::kPkcs10, {}}})});
        return;
    }
    Tlvs wanted;
    if (auto own = attributes_tlv()) wanted.push_back(std::move(*own));
    wanted.push_back({false, tlv_type::kPkcs10, {}});
    send_tlvs({request_action_tlv(settings->request_status, wanted)});
}

std::optional<Tlv> ServerSession::Impl::attributes_tlv() const
{
    if (!settings->csr_attributes) return std::nullopt;
    auto der = settings->csr_attributes(attributes);
    if (!der || der->empty()) return std::nullopt;
    return Tlv{false, tlv_type::kCsrAttributes, std::move(*der)};
}

void ServerSession::Impl::handle_phase_2(const Bytes& data)
{
    const auto tlvs = parse_tlvs(data);
    if (!tlvs) {
        fail_with(error_code::kUnexpectedTlvs, tlvs.error().message);
        return;
    }
    if (const auto once = check_duplicates(*tlvs); !once) {
        fail_with(error_code::kUnexpectedTlvs, once.error().message);
        return;
    }
    if (const auto unknown = unknown_mandatory(*tlvs, settings->numbers)) {
        // RFC 7170 section 4.2.1: the other TLVs of the message are not processed.
        if (++naks > kMostNaks)
            fail_with(error_code::kUnexpectedTlvs, "mandatory TLVs that are not known, again and again");
        else
            send_tlvs({nak_tlv(*unknown)});
        return;
    }
    handle_tlvs(*tlvs);
}

bool ServerSession::Impl::check_binding(const Tlvs& tlvs)
{
    const auto* tlv = find(tlvs, tlv_type::kCryptoBinding);
    if (tlv == nullptr) {
        const bool early = find(tlvs, tlv_type::kPkcs10) != nullptr;
        fail_with(early ? error_code::kUnexpectedTlvs : error_code::kTunnelCompromise,
                  early ? "a PKCS#10 before the tunnel was proven" : "no Crypto-Binding in the answer");
        return false;
    }
    auto parsed = parse_crypto_binding(*tlv);
    auto verified = parsed.and_then(
        [&](const CryptoBinding& one) { return verify(one, *keys, outer, kTeapVersion, &*request); });
    if (!verified) {
        fail_with(error_code::kTunnelCompromise, verified.error().message);
        return false;
    }
    bound = true;
    return true;
}

void ServerSession::Impl::handle_tlvs(const Tlvs& tlvs)
{
    const auto* result = find(tlvs, tlv_type::kResult);
    std::optional<Status> status;
    if (result != nullptr) {
        const auto parsed = parse_result(*result);
        if (!parsed) {
            fail_with(error_code::kUnexpectedTlvs, parsed.error().message);
            return;
        }
        status = *parsed;
    }
    if (status == Status::failure) {
        std::string why = "the peer ended with failure";
        if (const auto* error = find(tlvs, tlv_type::kError))
            if (const auto code = parse_error(*error))
                why += fmt::format(", error {} ({})", *code, name_of_error(*code, settings->numbers));
        if (voucher == Voucher::sent) vouchers->voucher_status(peer(), false, why);
        reject(why);
        return;
    }
    for (const auto type : {tlv_type::kPac, tlv_type::kEapPayload, tlv_type::kBasicPasswordAuthResp})
        if (find(tlvs, type) != nullptr) {
            fail_with(error_code::kUnexpectedTlvs, name_of_tlv(type) + " was not asked for");
            return;
        }
    if (voucher == Voucher::sent && !heard_of_voucher(tlvs)) return;
    if (const auto* root = find(tlvs, tlv_type::kTrustedServerRoot)) {
        const auto asked = parse_trusted_server_root(*root);
        wants_root = asked && !asked->has_value();
    }
    switch (state) {
    case State::binding:
        if (!check_binding(tlvs)) return;
        if (status != Status::success)
            fail_with(error_code::kUnexpectedTlvs, "no Result beside the Crypto-Binding");
        else
            after_binding(tlvs);
        return;
    case State::action:
        handle_action(tlvs);
        return;
    case State::result:
        if (!bound && !check_binding(tlvs)) return;
        if (status != Status::success)
            fail_with(error_code::kUnexpectedTlvs, "no Result in the answer to the PKCS#7");
        else
            accept();
        return;
    default:
        reject("TLVs that nobody waits for");
    }
}

void ServerSession::Impl::after_binding(const Tlvs& tlvs)
{
    const auto* pkcs10 = find(tlvs, tlv_type::kPkcs10);
    if (voucher == Voucher::wanted) {
        wants_root = false; // nothing is handed out before the voucher
        send_action();
    } else if (pkcs10 != nullptr && settings->ask != AskPolicy::never) {
        enrol(*pkcs10);
    } else if (pkcs10 != nullptr) {
        fail_with(error_code::kUnspecifiedAuthorization, "nobody is enrolled here");
    } else if (ask) {
        send_action();
    } else if (wants_root) {
        state = State::result;
        Tlvs answer_tlvs{result_tlv(Status::success)};
        if (auto root = root_tlv()) answer_tlvs.insert(answer_tlvs.begin(), std::move(*root));
        send_tlvs(answer_tlvs);
    } else {
        accept();
    }
}

/// What a peer that is let in may ask for by an empty TLV.
Tlvs ServerSession::Impl::answers_to(const Tlvs& tlvs)
{
    Tlvs answers;
    if (std::exchange(wants_root, false)) {
        auto root = root_tlv();
        answers.push_back(root ? std::move(*root) : error_tlv(error_code::kGeneralPkiError));
    }
    if (const auto* asked = find(tlvs, tlv_type::kCsrAttributes); asked != nullptr && asked->value.empty())
        answers.push_back(attributes_tlv().value_or(Tlv{false, tlv_type::kCsrAttributes, {}}));
    return answers;
}

void ServerSession::Impl::handle_voucher_request(const Tlvs& tlvs)
{
    const auto* asked = find(tlvs, settings->numbers.request_voucher);
    if (asked == nullptr || asked->value.empty()) {
        fail_with(error_code::kUnexpectedTlvs, "the peer did not ask for the voucher that it needs");
        return;
    }
    state = State::voucher;
    vouchers->request_voucher(
        peer(), asked->value,
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
        fail_with(numbers.masa_unavailable, "the voucher is not there yet",
                  {retry_after_tlv(static_cast<std::uint32_t>(seconds), numbers)});
        return;
    }
    const auto& granted = std::get<enrol::VoucherGranted>(decision).voucher;
    if (granted.empty() || granted.size() > kLargestVoucher) {
        fail_with(numbers.masa_refused, "a voucher that does not fit into a TLV");
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
    // Section 8.1.3: CSR-Attributes go "either along with the BRSKI-Voucher TLV or at any time earlier"; who
    // asks for them afterwards, as the figures have it, gets them again.
    if (auto own = attributes_tlv()) tlvs.push_back(std::move(*own));
    send_tlvs(tlvs);
}

/// The first message after the voucher says whether it was taken. False where the conversation ends here.
bool ServerSession::Impl::heard_of_voucher(const Tlvs& tlvs)
{
    const auto& numbers = settings->numbers;
    if (const auto* error = find(tlvs, tlv_type::kError)) {
        const auto code = parse_error(*error);
        if (code && (*code == numbers.invalid_signature || *code == numbers.invalid_voucher ||
                     *code == numbers.invalid_tls_signer)) {
            const auto why = name_of_error(*code, numbers);
            vouchers->voucher_status(peer(), false, why);
            reject("the peer said: " + why);
            return false;
        }
    }
    voucher = Voucher::taken;
    summary.vouched = true;
    vouchers->voucher_status(peer(), true, "");
    return true;
}

void ServerSession::Impl::handle_action(const Tlvs& tlvs)
{
    if (voucher == Voucher::wanted) {
        handle_voucher_request(tlvs);
        return;
    }
    if (const auto* pkcs10 = find(tlvs, tlv_type::kPkcs10)) {
        enrol(*pkcs10);
        return;
    }
    if (auto answers = answers_to(tlvs); !answers.empty()) {
        send_tlvs(answers);
        return;
    }
    const bool declined = find(tlvs, tlv_type::kResult) != nullptr || find(tlvs, tlv_type::kNak) != nullptr;
    if (!declined) {
        fail_with(error_code::kUnexpectedTlvs, "neither a PKCS#10 nor a Result in the answer");
    } else if (settings->request_status == Status::failure || voucher != Voucher::none) {
        // Section 4.2.9: the status is the result where the peer does not act.
        fail_with(error_code::kUnspecifiedAuthorization, "the peer did not enrol");
    } else if (!bound) {
        ask = false;
        send_binding();
    } else {
        accept();
    }
}

enrol::Binding ServerSession::Impl::compare_binding(const crypto::Csr& request_made) const
{
    if (!request_made.challenge_password || request_made.challenge_password->empty())
        return enrol::Binding::absent;
    const auto own = tls->channel_binding();
    return own && *request_made.challenge_password == own->to_base64() ? enrol::Binding::matches
                                                                       : enrol::Binding::differs;
}

void ServerSession::Impl::enrol(const Tlv& pkcs10)
{
    auto parsed = crypto::parse_csr(as_text(pkcs10.value));
    if (!parsed) {
        fail_with(error_code::kBadCsr, parsed.error().message);
        return;
    }
    if (const auto type = parsed->key.type();
        type == "other" || (!attributes.key_type.empty() && type != attributes.key_type)) {
        fail_with(error_code::kUnsupportedAlgorithmInCsr, "a key of a kind that is not certified here");
        return;
    }
    if (const auto extension = unsupported_extension(*parsed, attributes)) {
        fail_with(error_code::kUnsupportedExtensionInCsr,
                  fmt::format("the request asks for the extension {}", base::printable(*extension, 100)));
        return;
    }
    enrol::EnrolRequest wanted;
    wanted.request_id = request_id;
    wanted.peer = peer();
    wanted.label = settings->label;
    wanted.binding = compare_binding(*parsed);
    wanted.renewal =
        attributes.issued_here && crypto::asks_for_same_names(*parsed, wanted.peer.certificates.front());
    wanted.csr = std::move(*parsed);
    state = State::enrolling;
    authority.enrol(std::move(wanted), [self = shared_from_this()](const enrol::Decision& decision) {
        self->decided(decision);
    });
}

void ServerSession::Impl::decided(const enrol::Decision& decision)
{
    if (const auto* one = std::get_if<enrol::Issued>(&decision)) {
        issued(one->certificate);
    } else if (const auto* later = std::get_if<enrol::Pending>(&decision)) {
        pending(later->retry_after);
    } else {
        const auto& refused = std::get<enrol::Refused>(decision);
        Tlvs more;
        if (refused.why == Refusal::too_many || refused.why == Refusal::unavailable) {
            const auto wait = refused.retry_after.value_or(kRetryLater).count();
            more.push_back(
                retry_after_tlv(static_cast<std::uint32_t>(std::clamp<std::int64_t>(wait, 1, 7 * 86'400)),
                                settings->numbers));
        }
        fail_with(error_of(refused.why), refused.text, std::move(more));
    }
}

void ServerSession::Impl::pending(std::chrono::seconds retry_after)
{
    const auto seconds = std::clamp<std::int64_t>(retry_after.count(), 1, 86'400);
    const auto when = retry_after_tlv(static_cast<std::uint32_t>(seconds), settings->numbers);
    if (std::chrono::seconds{seconds} > settings->retry_in_tunnel) {
        fail_with(settings->pending_error, "not issued yet", {when});
        return;
    }
    state = State::action;
    peer_wait = std::chrono::seconds{seconds};
    send_tlvs({error_tlv(settings->numbers.retry_same_tunnel), when});
}

std::optional<Tlv> ServerSession::Impl::root_tlv() const
{
    auto anchors = authority.ca_certificates(settings->label).value_or(std::vector<crypto::Certificate>{});
    std::erase_if(anchors, [](const auto& one) { return !crypto::is_self_signed(one); });
    if (anchors.empty()) return std::nullopt;
    const auto der = crypto::to_certs_only(anchors);
    if (!der) return std::nullopt;
    return trusted_server_root_tlv(*der);
}

void ServerSession::Impl::issued(const crypto::Certificate& certificate)
{
    const auto cas = authority.ca_certificates(settings->label).value_or(std::vector<crypto::Certificate>{});
    auto der = crypto::to_certs_only(chain_of(certificate, cas));
    if (!der) {
        fail_with(error_code::kGeneralPkiError, der.error().message);
        return;
    }
    summary.enrolled = true;
    summary.serial = certificate.serial();
    state = State::result;
    Tlvs tlvs{{false, tlv_type::kPkcs7, std::move(*der)}};
    if (wants_root)
        if (auto root = root_tlv()) tlvs.push_back(std::move(*root));
    if (!settings->nai.empty()) {
        const auto nai = as_bytes(settings->nai);
        tlvs.push_back({false, settings->numbers.nai, {nai.begin(), nai.end()}});
    }
    if (!bound) tlvs.push_back(binding_request());
    tlvs.push_back(result_tlv(Status::success));
    send_tlvs(tlvs);
}

} // namespace acmetool::teap
