#include "teap/peer.h"

#include <algorithm>

#include <fmt/core.h>

#include "base/base64url.h"
#include "base/body_text.h"
#include "base/text.h"
#include "crypto/cms.h"
#include "crypto/issued.h"
#include "teap/fragments.h"

namespace acmetool::teap
{
namespace
{

tl::unexpected<Error> broken(std::string_view what, std::string hint = {})
{
    return fail(Errc::protocol, "TEAP server: " + std::string{what}, std::move(hint), "teap");
}

tl::unexpected<Error> nobody_vouched()
{
    return fail(
        Errc::refused,
        "nobody vouched for the server: no trust anchor leads to its certificate, and it sent no voucher",
        "give --ca-file, or use a server that supports draft-lear-eap-teap-brski and knows this "
        "manufacturer",
        "provisional");
}

/// What the server wants instead of a certificate.
std::string method_of(const Tlv& eap_payload)
{
    constexpr std::size_t kTypeAt = 4; // code, identifier, length
    if (eap_payload.value.size() <= kTypeAt || eap_payload.value[kTypeAt] == eap_type::kIdentity)
        return "an inner EAP method";
    return fmt::format("the inner EAP method {}", eap_payload.value[kTypeAt]);
}

/// Bare DER (RFC 9930), or base64 of it (draft-lear-eap-teap-brski).
Bytes attributes_of(const Bytes& value)
{
    constexpr std::uint8_t kDerSequence = 0x30;
    if (!value.empty() && value.front() != kDerSequence)
        if (auto decoded = base::parse_base64(base::trim_body(as_text(value)))) return std::move(*decoded);
    return value;
}

} // namespace

struct PeerSession::Impl {
    PeerSettings settings;
    crypto::TlsContext context;
    crypto::TlsEngine::Verifier verifier;
    PeerResult result;

    std::optional<crypto::TlsEngine> tls;
    Fragmenter fragmenter;
    Reassembler reassembler;
    OuterTlvs outer;
    std::uint8_t server_version = kTeapVersion;
    std::uint8_t identifier = 0;
    std::optional<Bytes> last_answer; ///< to the request with `identifier`
    std::optional<Bytes> words;
    unsigned rounds = 0;
    bool over = false;

    std::optional<KeySchedule> keys;
    bool bound = false;
    std::optional<Status> protected_result; ///< the last one that the server sent
    bool answered_success = false;
    bool sent_request = false;
    bool refused = false; ///< we answered with failure
    bool declined_method = false;
    std::optional<crypto::Csr> csr;
    std::optional<Bytes> attributes; ///< CSR-Attributes, DER
    bool asked_for_voucher = false;
    bool vouched = false;
    /// What to request once the voucher is verified, in this order.
    struct Steps {
        bool root = false;
        bool attributes = false;
        bool pkcs10 = false;
    } steps;
    std::chrono::seconds delay{0};

    Impl(PeerSettings with, crypto::TlsContext tls_context, crypto::TlsEngine::Verifier judge)
        : settings(std::move(with)), context(std::move(tls_context)), verifier(std::move(judge))
    {
    }

    void show(bool by_peer, std::string text, const Tlvs& tlvs = {}) const
    {
        if (settings.show) settings.show({by_peer, std::move(text), tlvs});
    }
    Bytes respond(std::uint8_t type, Bytes data)
    {
        last_answer = EapPacket{EapCode::response, identifier, type, std::move(data)}.encode();
        return *last_answer;
    }
    Bytes respond_frame(const Frame& frame) { return respond(eap_type::kTeap, frame.encode()); }
    Bytes respond_message(Message message)
    {
        fragmenter.load(std::move(message), false, settings.fragment_size);
        return respond_frame(fragmenter.next());
    }
    Result<Bytes> respond_tlvs(const Tlvs& tlvs)
    {
        show(true, "{" + describe(tlvs, settings.numbers) + "}", tlvs);
        if (tlvs.empty()) return respond_message({});
        ACMETOOL_CHECK(tls->send(encode(tlvs)));
        return respond_message({tls->take_output(), {}});
    }
    /// Ends with Result failure, an Error and our message.
    Result<Bytes> refuse(std::uint32_t code)
    {
        refused = true;
        return respond_tlvs({error_tlv(code), result_tlv(Status::failure)});
    }

    Result<std::optional<Bytes>> handle(const EapPacket& eap);
    Result<Bytes> handle_frame(const Frame& frame);
    Result<Bytes> start(const Frame& frame);
    Result<Bytes> handle_message(Message message);
    Result<Bytes> handle_tlvs(const Tlvs& tlvs);
    Result<void> derive_keys(Kdf kdf);
    Result<CryptoBinding> verify_binding(const Tlv& tlv);
    Result<void> note(const Tlvs& tlvs);
    Result<void> take_voucher(const Tlv& tlv);
    Result<void> act(const Tlvs& tlvs, Tlvs& answer);
    Result<void> next_step(Tlvs& answer);
    Result<void> enrol(Tlvs& answer);
    Result<void> take_certificates(const Bytes& der);
    std::optional<Tlvs> decline_inner_method(const Tlvs& tlvs);
};

Result<Bytes> PeerSession::Impl::start(const Frame& frame)
{
    // RFC 7170 section 3.1: the server proposes its highest version; only version 1 exists.
    if (frame.version < kTeapVersion) return broken("it proposes a version below 1");
    server_version = frame.version;
    Reassembler whole;
    ACMETOOL_TRY(message, whole.take(frame));
    if (!message || !message->tls.empty()) return broken("its Start holds TLS data or is in fragments");
    const auto tlvs =
        parse_tlvs(message->outer_tlvs).value_or(Tlvs{}); // RFC 7170 section 3.6.1: else ignored
    show(false, "TEAP Start" + (tlvs.empty() ? "" : ", " + describe(tlvs, settings.numbers)), tlvs);
    outer.server = std::move(message->outer_tlvs);
    Tlvs own;
    if (settings.identity_type) own.push_back(identity_type_tlv(*settings.identity_type));
    outer.peer = encode(own);
    auto judge = verifier;
    if (settings.bootstrap)
        judge = [this](const std::vector<crypto::Certificate>& chain) -> Result<void> {
            result.provisional = !verifier || !verifier(chain);
            return {};
        };
    ACMETOOL_TRY(engine, crypto::TlsEngine::start(context, judge));
    tls = std::move(engine);
    auto hello = tls->take_output();
    if (!Fragmenter::fits({hello, outer.peer}, settings.fragment_size)) {
        own.clear();
        outer.peer.clear();
    }
    show(true, "TLS ClientHello", own);
    return respond_message({std::move(hello), outer.peer});
}

Result<Bytes> PeerSession::Impl::handle_frame(const Frame& frame)
{
    if (frame.start) {
        if (tls) return broken("a second Start");
        return start(frame);
    }
    if (!tls) return broken("TEAP data before a Start");
    if (frame.version != server_version) return broken("it changed the version during the conversation");
    if (fragmenter.pending()) {
        if (!frame.is_acknowledgement()) return broken("it did not acknowledge a fragment");
        return respond_frame(fragmenter.next());
    }
    ACMETOOL_TRY(message, reassembler.take(frame));
    if (!message) return respond_frame({});
    return handle_message(std::move(*message));
}

Result<Bytes> PeerSession::Impl::handle_message(Message message)
{
    const bool was_established = tls->established();
    if (!was_established) show(false, fmt::format("TLS handshake ({} octets)", message.tls.size()));
    auto fed = tls->feed(message.tls);
    if (!fed) {
        auto alert = tls->take_output();
        if (!alert.empty()) {
            show(true, "TLS alert");
            words = respond_message({std::move(alert), {}});
        }
        return fail(std::move(fed).error());
    }
    if (!was_established && tls->established()) {
        result.tls = tls->version();
        result.cipher = tls->cipher();
    }
    const auto data = tls->take_data();
    if (data.empty()) {
        auto output = tls->take_output();
        if (!output.empty()) show(true, fmt::format("TLS handshake ({} octets)", output.size()));
        return respond_message({std::move(output), {}}); // or an empty packet: an acknowledgement
    }
    auto tlvs = parse_tlvs(data);
    if (tlvs)
        if (const auto once = check_duplicates(*tlvs); !once) tlvs = fail(once.error());
    if (!tlvs) {
        if (auto last = refuse(error_code::kUnexpectedTlvs)) words = std::move(*last);
        return fail(std::move(tlvs).error());
    }
    show(false, "{" + describe(*tlvs, settings.numbers) + "}", *tlvs);
    return handle_tlvs(*tlvs);
}

Result<void> PeerSession::Impl::derive_keys(Kdf kdf)
{
    ACMETOOL_TRY(made,
                 KeySchedule::start(kdf, tls->hash_is_sha384() ? Hash::sha384 : Hash::sha256,
                                    [this](std::string_view label, std::optional<ByteView> with,
                                           std::size_t size) { return tls->export_key(label, with, size); }));
    ACMETOOL_CHECK(made.step({}, {}));
    keys.emplace(std::move(made));
    result.kdf = kdf;
    return {};
}

Result<CryptoBinding> PeerSession::Impl::verify_binding(const Tlv& tlv)
{
    ACMETOOL_TRY(binding, parse_crypto_binding(tlv));
    std::vector<Kdf> candidates;
    if (keys)
        candidates = {keys->kdf()}; // a second one uses the same keys
    else if (tls->version() != "TLSv1.3")
        candidates = {Kdf::rfc7170};
    else if (settings.kdf)
        candidates = {*settings.kdf};
    else
        candidates = {Kdf::rfc9427, Kdf::rfc7170};
    std::optional<Error> problem;
    for (const auto kdf : candidates) {
        if (!keys || keys->kdf() != kdf) ACMETOOL_CHECK(derive_keys(kdf));
        const auto verified = verify(binding, *keys, outer, kTeapVersion, nullptr);
        if (verified) return binding;
        if (!problem) problem = verified.error();
    }
    return fail(std::move(*problem));
}

Result<void> PeerSession::Impl::take_certificates(const Bytes& der)
{
    ACMETOOL_TRY(certificates, crypto::parse_certs_only(der));
    if (!csr) return broken("an unsolicited PKCS#7");
    // TEAP-11a: no order is assumed, and none of them is trusted because of its position.
    auto sorted = crypto::own_first(std::move(certificates), *csr);
    if (!sorted) return fail(with_context(std::move(sorted).error(), "PKCS#7"));
    result.certificate = sorted->front();
    result.certificates = std::move(*sorted);
    return {};
}

Result<void> PeerSession::Impl::note(const Tlvs& tlvs)
{
    for (const auto& tlv : tlvs) {
        if (tlv.type == tlv_type::kError) {
            ACMETOOL_TRY(code, parse_error(tlv));
            result.errors.push_back(code);
        } else if (tlv.type == settings.numbers.retry_after) {
            ACMETOOL_TRY(seconds, parse_retry_after(tlv));
            result.retry_after = std::chrono::seconds{seconds};
        } else if (tlv.type == tlv_type::kPkcs7) {
            ACMETOOL_CHECK(take_certificates(tlv.value));
        } else if (tlv.type == settings.numbers.nai) {
            if (!settings.refuse_nai) result.nai = base::printable(as_text(tlv.value), 253);
        } else if (tlv.type == tlv_type::kCsrAttributes && !tlv.value.empty()) {
            attributes = attributes_of(tlv.value);
        } else if (tlv.type == tlv_type::kTrustedServerRoot && !result.provisional) {
            ACMETOOL_TRY(der, parse_trusted_server_root(tlv));
            if (der) {
                ACMETOOL_TRY(roots, crypto::parse_certs_only(*der));
                result.roots = std::move(roots);
            }
        }
    }
    return {};
}

/// Creates the request and adds it to `answer`.
Result<void> PeerSession::Impl::enrol(Tlvs& answer)
{
    std::optional<crypto::ChannelBinding> binding;
    // RFC 7170 section 3.8.2 specifies tls-unique; neither specification defines a value for TLS 1.3.
    if (tls->version() == "TLSv1.2")
        if (auto own = tls->channel_binding()) binding = std::move(*own);
    auto made = settings.make_request(attributes, binding);
    if (!made) {
        if (auto last = refuse(attributes ? settings.numbers.csr_attributes_not_met
                                          : error_code::kUnspecifiedAuthorization))
            words = std::move(*last);
        return fail(std::move(made).error());
    }
    csr = std::move(*made);
    sent_request = true;
    answer.push_back({false, tlv_type::kPkcs10, csr->der});
    if (settings.want_root && result.roots.empty()) answer.push_back(trusted_server_root_tlv({}));
    return {};
}

Result<void> PeerSession::Impl::take_voucher(const Tlv& tlv)
{
    if (!asked_for_voucher || vouched) {
        if (auto last = refuse(error_code::kUnexpectedTlvs)) words = std::move(*last);
        return broken("an unsolicited voucher");
    }
    if (auto good = settings.bootstrap->check(tlv.value, tls->peer_certificates()); !good) {
        const auto& numbers = settings.numbers;
        const auto& reason = good.error().reason;
        if (auto last = refuse(reason == Cause::signature   ? numbers.invalid_signature
                               : reason == Cause::registrar ? numbers.invalid_tls_signer
                                                            : numbers.invalid_voucher))
            words = std::move(*last);
        return fail(std::move(good).error());
    }
    result.voucher = tlv.value;
    result.provisional = false;
    vouched = true;
    return {};
}

/// Requests the other items that the server asked for besides the voucher, one after the other.
Result<void> PeerSession::Impl::next_step(Tlvs& answer)
{
    if (std::exchange(steps.root, false))
        answer.push_back(trusted_server_root_tlv({}));
    else if (std::exchange(steps.attributes, false))
        answer.push_back({false, tlv_type::kCsrAttributes, {}});
    else if (std::exchange(steps.pkcs10, false))
        return enrol(answer);
    return {};
}

/// Acts on Request-Action TLVs, or declines in `answer`.
Result<void> PeerSession::Impl::act(const Tlvs& tlvs, Tlvs& answer)
{
    bool wants_pkcs10 = false;
    bool wants_voucher = false;
    Steps wanted;
    std::optional<Status> declined;
    for (const auto& tlv : tlvs) {
        if (tlv.type != tlv_type::kRequestAction) continue;
        ACMETOOL_TRY(action, parse_request_action(tlv));
        const bool process = action.action == RequestAction::kProcessTlv;
        const auto has = [&](std::uint16_t type) { return process && find(action.tlvs, type) != nullptr; };
        if (const auto* inside = find(action.tlvs, tlv_type::kCsrAttributes);
            inside != nullptr && !inside->value.empty())
            attributes = attributes_of(inside->value);
        const bool pkcs10 = has(tlv_type::kPkcs10);
        const bool voucher = has(settings.numbers.request_voucher);
        result.asked = result.asked || pkcs10;
        wanted.root = wanted.root || has(tlv_type::kTrustedServerRoot);
        wanted.attributes = wanted.attributes || has(tlv_type::kCsrAttributes);
        if (voucher ? settings.bootstrap.has_value() : pkcs10 && settings.make_request) {
            wants_voucher = wants_voucher || voucher;
            wants_pkcs10 = wants_pkcs10 || (pkcs10 && settings.make_request);
        } else {
            declined = action.status;
        }
    }
    if (wants_voucher && !asked_for_voucher) {
        ACMETOOL_TRY(request, settings.bootstrap->make_request(tls->peer_certificates().front()));
        asked_for_voucher = true;
        steps = wanted;
        steps.pkcs10 = wants_pkcs10;
        answer.push_back({false, settings.numbers.request_voucher, std::move(request)});
        return {};
    }
    if (wants_pkcs10 && result.provisional) {
        // RFC 9930 section 3.11: services are only requested from an authenticated server.
        wants_pkcs10 = false;
        declined = Status::failure;
    }
    const bool unasked = settings.request_enrolment && settings.make_request && bound && !sent_request &&
                         !result.provisional && protected_result == Status::success;
    if ((wants_pkcs10 || unasked) && protected_result != Status::failure) return enrol(answer);
    // RFC 7170 section 4.2.9: the status is the result if we do not act.
    if (declined && find(tlvs, tlv_type::kResult) == nullptr) answer.push_back(result_tlv(*declined));
    return {};
}

/// This peer has a certificate and no inner method. EAP-Payload is mandatory and gets a NAK (RFC 9930 section
/// 4.2.1), the first time; the answer to a password's request is failure (section 3.6.2).
std::optional<Tlvs> PeerSession::Impl::decline_inner_method(const Tlvs& tlvs)
{
    const auto* const payload = find(tlvs, tlv_type::kEapPayload);
    if (payload == nullptr && find(tlvs, tlv_type::kBasicPasswordAuthReq) == nullptr) return std::nullopt;
    result.wanted = payload != nullptr ? method_of(*payload) : "a password";
    // No NAK may answer a Result (RFC 7170 section 4.2.5).
    if (payload != nullptr && find(tlvs, tlv_type::kResult) == nullptr &&
        !std::exchange(declined_method, true))
        return Tlvs{nak_tlv(*payload)};
    refused = true;
    return Tlvs{error_tlv(error_code::kInnerMethodNotSupported), result_tlv(Status::failure)};
}

Result<Bytes> PeerSession::Impl::handle_tlvs(const Tlvs& tlvs)
{
    if (const auto* unknown = unknown_mandatory(tlvs, settings.numbers))
        return find(tlvs, tlv_type::kResult) == nullptr ? respond_tlvs({nak_tlv(*unknown)})
                                                        : refuse(error_code::kUnexpectedTlvs);
    if (const auto answer = decline_inner_method(tlvs)) return respond_tlvs(*answer);
    Tlvs answer;
    // The order of RFC 9930 section 4.3: Crypto-Binding, Intermediate-Result, Result, Request-Action, others.
    if (const auto* tlv = find(tlvs, tlv_type::kCryptoBinding)) {
        auto request = verify_binding(*tlv);
        if (!request) {
            if (auto last = refuse(error_code::kTunnelCompromise)) words = std::move(*last);
            return fail(std::move(request).error());
        }
        bound = true;
        ACMETOOL_TRY(response, make_response(*keys, outer, *request, server_version));
        answer.push_back(response.encode());
    }
    if (const auto* tlv = find(tlvs, settings.numbers.voucher)) ACMETOOL_CHECK(take_voucher(*tlv));
    if (auto noted = note(tlvs); !noted) {
        if (auto last = refuse(error_code::kUnexpectedTlvs)) words = std::move(*last);
        return fail(std::move(noted).error());
    }
    if (const auto* tlv = find(tlvs, tlv_type::kIntermediateResult)) {
        ACMETOOL_TRY(status, parse_result(*tlv));
        answer.push_back(intermediate_result_tlv(status));
    }
    const auto* const ends = find(tlvs, tlv_type::kResult);
    if (ends != nullptr) {
        ACMETOOL_TRY(status, parse_result(*ends));
        protected_result = status;
        // Before the voucher-request this may be the first Crypto-Binding's; in place of the voucher it ends
        // all.
        if (status == Status::success && result.provisional && asked_for_voucher) {
            if (auto last = refuse(error_code::kInfrastructureNotTrusted)) words = std::move(*last);
            return nobody_vouched();
        }
        if (status == Status::success && !bound && settings.require_binding) {
            if (auto last = refuse(error_code::kTunnelCompromise)) words = std::move(*last);
            return broken("a Result without Crypto-Binding",
                          "--no-crypto-binding accepts a server that is known to send none");
        }
    } else if (csr && !result.errors.empty() && result.errors.back() == settings.numbers.retry_same_tunnel) {
        // draft-lear-eap-teap-brski section 8.1.4: "The peer MUST resend the exact same PKCS#10 request."
        result.errors.pop_back();
        delay = std::exchange(result.retry_after, std::nullopt).value_or(std::chrono::seconds{1});
        return respond_tlvs({{false, tlv_type::kPkcs10, csr->der}});
    }
    ACMETOOL_CHECK(act(tlvs, answer));
    if (vouched && ends == nullptr) ACMETOOL_CHECK(next_step(answer));
    if (settings.refuse_nai && find(tlvs, settings.numbers.nai) != nullptr)
        answer.push_back(error_tlv(settings.numbers.nai_rejected));
    if (ends != nullptr) answer.push_back(result_tlv(*protected_result));
    answered_success = find(answer, tlv_type::kResult) != nullptr &&
                       *parse_result(*find(answer, tlv_type::kResult)) == Status::success;
    return respond_tlvs(answer);
}

Result<std::optional<Bytes>> PeerSession::Impl::handle(const EapPacket& eap)
{
    if (eap.code == EapCode::success) {
        show(false, "EAP-Success");
        // RFC 7170 section 3.3.3: an unprotected Success is only accepted after a protected one.
        const bool proven = bound || !settings.require_binding;
        if (result.provisional && proven && protected_result == Status::success) return nobody_vouched();
        if (!tls || !proven || result.provisional || protected_result != Status::success ||
            !answered_success || refused)
            return std::optional<Bytes>{};
        over = true;
        result.accepted = true;
        if (!keys) ACMETOOL_CHECK(derive_keys(Kdf::rfc7170));
        ACMETOOL_TRY(exported, keys->exported(bound ? settings.msk_no_inner : MskSource::seed, false));
        result.keys = std::move(exported);
        return std::optional<Bytes>{};
    }
    if (eap.code == EapCode::failure) {
        show(false, "EAP-Failure");
        over = true;
        return std::optional<Bytes>{};
    }
    if (eap.code != EapCode::request) return std::optional<Bytes>{};
    if (last_answer && eap.identifier == identifier) return last_answer; // a repeat (RFC 3748 section 4.1)
    if (++rounds > kMostRounds) return broken("too many packets in one conversation");
    identifier = eap.identifier;
    if (eap.type == eap_type::kIdentity) {
        show(false, "EAP-Request/Identity");
        show(true, "EAP-Response/Identity " + base::printable(settings.identity, 100));
        const auto identity = as_bytes(settings.identity);
        return std::optional{respond(eap_type::kIdentity, {identity.begin(), identity.end()})};
    }
    if (eap.type == eap_type::kNotification) return std::optional{respond(eap_type::kNotification, {})};
    if (eap.type != eap_type::kTeap) {
        show(true, "EAP-Response/Nak");
        return std::optional{respond(eap_type::kNak, {eap_type::kTeap})};
    }
    ACMETOOL_TRY(frame, parse_frame(eap.data));
    ACMETOOL_TRY(answer, handle_frame(frame));
    return std::optional{std::move(answer)};
}

std::string realm_to_verify(std::string_view identity)
{
    constexpr std::string_view kArpa = "eap.arpa";
    const auto at = identity.rfind('@');
    if (at == std::string_view::npos) return {};
    auto realm = base::to_lower(identity.substr(at + 1));
    if (realm == kArpa || realm.ends_with("." + std::string{kArpa})) return {};
    return realm;
}

PeerSession::PeerSession(PeerSettings settings, crypto::TlsContext context,
                         crypto::TlsEngine::Verifier verifier)
    : impl_(std::make_unique<Impl>(std::move(settings), std::move(context), std::move(verifier)))
{
}

PeerSession::~PeerSession() = default;

Result<std::optional<Bytes>> PeerSession::handle(ByteView eap)
{
    if (impl_->over) return std::optional<Bytes>{};
    impl_->delay = {};
    ACMETOOL_TRY(packet, parse_eap(eap));
    auto answer = impl_->handle(packet);
    if (!answer) impl_->refused = true;
    return answer;
}

std::optional<Bytes> PeerSession::last_words()
{
    return std::exchange(impl_->words, std::nullopt);
}

std::chrono::seconds PeerSession::delay() const
{
    return impl_->delay;
}

bool PeerSession::over() const
{
    return impl_->over;
}

const PeerResult& PeerSession::result() const
{
    return impl_->result;
}

} // namespace acmetool::teap
