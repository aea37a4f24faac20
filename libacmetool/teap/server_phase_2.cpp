#include <algorithm>
#include <iterator>

#include <fmt/core.h>

#include "base/text.h"
#include "teap/server_impl.h"

namespace acmetool::teap
{
namespace
{

constexpr unsigned kMostNaks = 3;

/// Errors that a peer reports if its keys are not the server's.
bool tells_of_keys(std::uint32_t code)
{
    return code == error_code::kTunnelCompromise || code == error_code::kBadCryptoBinding ||
           code == error_code::kWrongMskMac || code == error_code::kWrongEmskMac;
}

/// Whether the server acts on a TLV that a peer asks it to process.
bool is_served(const Tlv& tlv)
{
    return tlv.type == tlv_type::kPkcs10 || tlv.type == tlv_type::kTrustedServerRoot ||
           tlv.type == tlv_type::kCsrAttributes;
}

} // namespace

using enrol::Refusal;

void ServerSession::Impl::authorize()
{
    const auto certificates = tls->peer_certificates();
    if (certificates.empty()) {
        fail_with(error_code::kClientCertificateNotSupplied, "the peer presented no certificate");
        return;
    }
    summary.subject = base::printable(certificates.front().subject(), 200);
    if (vouchers != nullptr && settings->ask != AskPolicy::never && vouchers->wants_voucher(peer())) {
        // Requesting the voucher determines whether the device may enrol, and its name.
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

/// False if the conversation ends here.
bool ServerSession::Impl::take_attributes(const enrol::AttributesDecision& decision)
{
    if (const auto* refused = std::get_if<enrol::Refused>(&decision)) {
        refuse(*refused, Asked::attributes);
        return false;
    }
    attributes = std::get<enrol::CsrAttributes>(decision);
    if (!attributes.authenticated) {
        fail_with(error_code::kClientCertificateRejected,
                  attributes.why_not.empty()
                      ? "the certificate was issued neither by a known manufacturer nor by this server"
                      : attributes.why_not);
        return false;
    }
    summary.issued_here = attributes.issued_here;
    summary.device = attributes.device;
    summary.serial_number = attributes.device_serial;
    summary.manufacturer = attributes.manufacturer;
    for (const auto& one : attributes.identifiers)
        summary.names.push_back(one.value);
    return true;
}

void ServerSession::Impl::authorized(const enrol::AttributesDecision& decision)
{
    if (!take_attributes(decision)) return;
    const auto certificate = tls->peer_certificates().front();
    if (attributes.must_renew && settings->ask == AskPolicy::never) {
        fail_with(error_code::kClientCertificateRejected,
                  "the certificate of the peer has expired, and this server renews none");
        return;
    }
    ask = settings->ask == AskPolicy::always ||
          (settings->ask == AskPolicy::needed &&
           (!attributes.issued_here || attributes.must_renew ||
            now() >= settings->renew.due(certificate.not_before(), certificate.not_after())));
    if (!ask && !settings->cert_only && tls->version() == "TLSv1.3") {
        // RFC 9427 section 2.2.1: the strict interpretation requires phase 2 data besides the proof of the
        // tunnel.
        fail_with(error_code::kUnspecifiedAuthorization,
                  "under TLS 1.3 a certificate without enrolment is not sufficient");
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
        // Failure." All TLVs are empty: their content is only for devices with a voucher.
        send_tlvs({request_action_tlv(Status::failure, {{false, settings->numbers.request_voucher, {}},
                                                        trusted_server_root_tlv({}),
                                                        {false, tlv_type::kCsrAttributes, {}},
                                                        {false, tlv_type::kPkcs10, {}}})});
        return;
    }
    // The PKCS#10 comes first: some peers read only the first TLV of a Request-Action.
    Tlvs wanted{{false, tlv_type::kPkcs10, {}}};
    const auto own = attributes_tlv();
    const auto place = settings->attributes_place;
    if (own && place != AttributesPlace::beside) wanted.push_back(*own);
    Tlvs message{request_action_tlv(settings->request_status, wanted)};
    if (own && place != AttributesPlace::nested) message.push_back(*own);
    send_tlvs(message);
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
    if (shows) show(true, "{" + describe(*tlvs, settings->numbers) + "}", *tlvs);
    if (const auto once = check_duplicates(*tlvs); !once) {
        fail_with(error_code::kUnexpectedTlvs, once.error().message);
        return;
    }
    if (const auto* unknown = unknown_mandatory(*tlvs, settings->numbers)) {
        // RFC 7170 section 4.2.1: the other TLVs of the message are not processed.
        if (find(*tlvs, tlv_type::kResult) != nullptr) // no NAK may answer it (section 4.2.5)
            fail_with(error_code::kUnexpectedTlvs,
                      fmt::format("the peer demands {}, which is not known here, and sent its Result",
                                  name_of_tlv(unknown->type, settings->numbers)));
        else if (++naks > kMostNaks)
            fail_with(error_code::kUnexpectedTlvs, "repeated unknown mandatory TLVs");
        else
            send_tlvs({nak_tlv(*unknown)});
        return;
    }
    if (auto all = with_requested(*tlvs)) handle_tlvs(*all);
}

/// The peer's message, and what its Request-Actions ask for as if it stood beside them. Where this server
/// does not act, their status is the peer's Result, failure before success (RFC 7170 sections 3.3.3 and
/// 4.2.9). Nothing if the conversation ends here.
std::optional<Tlvs> ServerSession::Impl::with_requested(Tlvs tlvs)
{
    std::string wanted;
    bool success = false;
    Tlvs more;
    for (const auto& tlv : tlvs) {
        if (tlv.type != tlv_type::kRequestAction) continue;
        auto asked = parse_request_action(tlv);
        if (!asked) {
            fail_with(error_code::kUnexpectedTlvs, asked.error().message);
            return std::nullopt;
        }
        if (asked->action == RequestAction::kProcessTlv && !asked->tlvs.empty() &&
            std::all_of(asked->tlvs.begin(), asked->tlvs.end(), is_served))
            std::move(asked->tlvs.begin(), asked->tlvs.end(), std::back_inserter(more));
        else if (asked->status == Status::success)
            success = true;
        else
            wanted = describe({tlv}, settings->numbers);
    }
    if (!wanted.empty()) {
        end_by_peer("the peer wanted what this server does not do: " + wanted);
        return std::nullopt;
    }
    if (success && find(tlvs, tlv_type::kResult) == nullptr) more.push_back(result_tlv(Status::success));
    std::move(more.begin(), more.end(), std::back_inserter(tlvs));
    return tlvs;
}

/// The peer ends the conversation. If a voucher was just sent to it, it has not taken that.
void ServerSession::Impl::end_by_peer(const std::string& why)
{
    if (voucher == Voucher::sent) vouchers->voucher_status(peer(), false, why);
    reject(why);
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
        fail_with(error_code::kTunnelCompromise,
                  verified.error().message + "; so it is if the peer derives other keys: see kdf");
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
        std::string why = "the peer ended the conversation with a failure";
        if (const auto* error = find(tlvs, tlv_type::kError))
            if (const auto code = parse_error(*error)) {
                why += ", error " + words_of_error(*code, settings->numbers);
                if (tells_of_keys(*code)) why += "; a peer that derives other keys says so as well: see kdf";
            }
        end_by_peer(why);
        return;
    }
    for (const auto type : {tlv_type::kPac, tlv_type::kEapPayload, tlv_type::kBasicPasswordAuthResp})
        if (find(tlvs, type) != nullptr) {
            fail_with(error_code::kUnexpectedTlvs, name_of_tlv(type) + " was not requested");
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
        reject("unexpected TLVs");
    }
}

void ServerSession::Impl::after_binding(const Tlvs& tlvs)
{
    const auto* pkcs10 = find(tlvs, tlv_type::kPkcs10);
    if (voucher == Voucher::wanted) {
        wants_root = false; // nothing is sent before the voucher
        send_action();
    } else if (pkcs10 != nullptr && settings->ask != AskPolicy::never) {
        enrol(*pkcs10);
    } else if (pkcs10 != nullptr) {
        fail_with(error_code::kUnspecifiedAuthorization, "this server enrols no devices");
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

/// What an accepted peer may request with an empty TLV.
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
        // Section 4.2.9: the status is the result if the peer does not act.
        fail_with(error_code::kUnspecifiedAuthorization, "the peer did not enrol");
    } else if (attributes.must_renew) {
        fail_with(error_code::kClientCertificateRejected,
                  "the certificate of the peer has expired, and it did not renew it");
    } else if (!bound) {
        ask = false;
        send_binding();
    } else {
        accept();
    }
}

} // namespace acmetool::teap
