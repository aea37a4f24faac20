#include "teap/server.h"

#include <algorithm>
#include <mutex>

#include <fmt/core.h>

#include "base/text.h"
#include "crypto/cms.h"
#include "crypto/csr_remake.h"
#include "crypto/path.h"
#include "enrol/device_label.h"
#include "teap/fragments.h"
#include "teap/tlv.h"

namespace acmetool::teap
{
namespace
{

using enrol::Refusal;

constexpr unsigned kMostRounds = 200;
constexpr unsigned kMostNaks = 3;
constexpr std::size_t kLeastMtu = 128;
constexpr std::size_t kMtuSlack = 4;
constexpr std::size_t kLongestIdentity = 253; // it becomes a User-Name
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

struct ServerSession::Impl : std::enable_shared_from_this<ServerSession::Impl> {
    enum class State {
        begin,       ///< nothing was sent yet
        identity,    ///< Identity request sent
        start,       ///< TEAP Start sent
        handshake,   ///< TLS
        authorizing, ///< the registration authority is asked
        binding,     ///< Crypto-Binding and Result sent
        action,      ///< Request-Action sent
        enrolling,   ///< the registration authority has the CSR
        result,      ///< PKCS#7 and Result sent
        failing,     ///< an alert, or Result failure, sent
        over,
    };

    std::shared_ptr<const ServerSettings> settings;
    crypto::TlsContext context;
    enrol::RegistrationAuthority& authority;
    Summary summary;
    std::string address;
    std::string request_id;

    State state = State::begin;
    std::uint8_t identifier = 0; ///< of the request that was sent last
    std::size_t limit = 0;
    unsigned rounds = 0;
    unsigned naks = 0;
    std::function<void(Answer)> done;

    std::optional<crypto::TlsEngine> tls;
    Fragmenter fragmenter;
    Reassembler reassembler;
    OuterTlvs outer;
    std::uint8_t peer_version = kTeapVersion;

    std::optional<KeySchedule> keys;
    std::optional<CryptoBinding> request;
    bool bound = false; ///< the peer's Crypto-Binding was verified
    bool ask = false;
    bool wants_root = false;
    enrol::CsrAttributes attributes;
    std::optional<enrol::EnrolRequest> csr;

    Impl(std::shared_ptr<const ServerSettings> with, crypto::TlsContext tls_context,
         enrol::RegistrationAuthority& ra)
        : settings(std::move(with)), context(std::move(tls_context)), authority(ra)
    {
    }

    base::TimePoint now() const
    {
        return settings->now ? settings->now()
                             : std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
    }
    void answer(Answer with)
    {
        const auto to = std::exchange(done, {});
        to(std::move(with));
    }
    void send(std::uint8_t type, Bytes data);
    void send_frame(const Frame& frame) { send(eap_type::kTeap, frame.encode()); }
    void send_message(Message message, bool start = false);
    void send_tlvs(const Tlvs& tlvs);
    void flush() { send_message({tls->take_output(), {}}); }
    void accept();
    void reject(std::string_view why);
    void fail_with(std::uint32_t code, std::string_view why, Tlvs more = {});

    void begin(const EapPacket& eap);
    void send_start();
    void handle_frame(const Frame& frame);
    void handle_message(Message message);
    void authorize();
    void authorized(const enrol::AttributesDecision& decision);
    bool derive_keys();
    Tlv binding_request();
    void send_binding();
    void send_action();
    void handle_phase_2(const Bytes& data);
    void handle_tlvs(const Tlvs& tlvs);
    bool check_binding(const Tlvs& tlvs);
    void after_binding(const Tlvs& tlvs);
    void handle_action(const Tlvs& tlvs);
    void enrol(const Tlv& pkcs10);
    void decided(const enrol::Decision& decision);
    void issued(const crypto::Certificate& certificate);
    std::optional<Tlv> root_tlv() const;
    enrol::Binding compare_binding(const crypto::Csr& request_made) const;
    enrol::Peer peer() const
    {
        enrol::Peer who;
        who.certificates = tls->peer_certificates();
        who.address = address;
        return who;
    }
};

void ServerSession::Impl::send(std::uint8_t type, Bytes data)
{
    const EapPacket eap{EapCode::request, ++identifier, type, std::move(data)};
    answer({Outcome::proceed, eap.encode(), {}, {}});
}

void ServerSession::Impl::send_message(Message message, bool start)
{
    fragmenter.load(std::move(message), start, limit);
    send_frame(fragmenter.next());
}

void ServerSession::Impl::send_tlvs(const Tlvs& tlvs)
{
    if (const auto sent = tls->send(encode(tlvs)); !sent) {
        reject(sent.error().message);
        return;
    }
    flush();
}

void ServerSession::Impl::accept()
{
    state = State::over;
    auto exported = keys->exported(settings->msk_no_inner, false);
    if (!exported) {
        reject(exported.error().message);
        return;
    }
    Answer with{Outcome::accept,
                EapPacket{EapCode::success, identifier, 0, {}}.encode(),
                std::move(*exported),
                {eap_type::kTeap}};
    const std::uint8_t type = eap_type::kTeap;
    if (tls->version() == "TLSv1.3" && keys->kdf() == Kdf::rfc9427) {
        if (const auto id = tls->export_key("EXPORTER_EAP_TLS_Method-Id", ByteView{&type, 1}, 64))
            with.session_id.insert(with.session_id.end(), id->begin(), id->end());
    } else if (const auto unique = tls->channel_binding()) {
        with.session_id.insert(with.session_id.end(), unique->value.begin(), unique->value.end());
    }
    answer(std::move(with));
}

void ServerSession::Impl::reject(std::string_view why)
{
    state = State::over;
    if (summary.text.empty()) summary.text = why;
    answer({Outcome::reject, EapPacket{EapCode::failure, identifier, 0, {}}.encode(), {}, {}});
}

void ServerSession::Impl::fail_with(std::uint32_t code, std::string_view why, Tlvs more)
{
    state = State::failing;
    summary.error = code;
    summary.text = why;
    Tlvs tlvs{error_tlv(code), result_tlv(Status::failure)};
    tlvs.insert(tlvs.begin() + 1, more.begin(), more.end());
    send_tlvs(tlvs);
}

void ServerSession::Impl::begin(const EapPacket& eap)
{
    // The NAS asked for the identity itself, or passes on the answer to our own request.
    identifier = eap.identifier;
    if (eap.type != eap_type::kIdentity) {
        reject("the peer gave no identity");
        return;
    }
    summary.identity = as_text(eap.data).substr(0, kLongestIdentity);
    send_start();
}

void ServerSession::Impl::send_start()
{
    outer.server = encode({{false, tlv_type::kAuthorityId, settings->authority_id}});
    state = State::start;
    send_message({{}, outer.server}, true);
}

void ServerSession::Impl::handle_frame(const Frame& frame)
{
    // RFC 7170 section 3.1: "If the TEAP server does not support the version number proposed by the TEAP
    // peer, it terminates the conversation with an EAP Failure".
    if (frame.version != kTeapVersion) {
        reject(fmt::format("the peer wants version {} of TEAP", frame.version));
        return;
    }
    if (frame.start) {
        reject("the peer sent a Start");
        return;
    }
    if (fragmenter.pending()) {
        if (frame.is_acknowledgement())
            send_frame(fragmenter.next());
        else
            reject("a fragment of ours was not acknowledged");
        return;
    }
    if (state == State::start) peer_version = frame.version;
    auto message = reassembler.take(frame);
    if (!message) {
        reject(message.error().message);
        return;
    }
    if (!*message)
        send_frame({});
    else
        handle_message(std::move(**message));
}

void ServerSession::Impl::handle_message(Message message)
{
    if (state == State::failing) {
        reject("");
        return;
    }
    if (state == State::start) {
        const auto tlvs = parse_tlvs(message.outer_tlvs);
        // Errata 5765: outer TLVs are never mandatory.
        if (!tlvs || std::any_of(tlvs->begin(), tlvs->end(), [](const Tlv& tlv) { return tlv.mandatory; })) {
            reject("the peer's outer TLVs cannot be read");
            return;
        }
        outer.peer = std::move(message.outer_tlvs);
        auto started = crypto::TlsEngine::start(context, {});
        if (!started) {
            reject(started.error().message);
            return;
        }
        tls = std::move(*started);
        state = State::handshake;
    }
    const bool was_established = tls->established();
    if (const auto fed = tls->feed(message.tls); !fed) {
        summary.text = fed.error().message;
        auto alert = tls->take_output();
        if (alert.empty()) {
            reject("");
            return;
        }
        state = State::failing;
        send_message({std::move(alert), {}});
        return;
    }
    if (!tls->established()) {
        auto output = tls->take_output();
        if (output.empty())
            reject("the TLS handshake stopped");
        else
            send_message({std::move(output), {}});
        return;
    }
    auto data = tls->take_data();
    if (was_established) {
        handle_phase_2(data);
        return;
    }
    summary.tls = tls->version();
    if (!data.empty())
        fail_with(error_code::kUnexpectedTlvs, "TLVs before the tunnel was proven");
    else
        authorize();
}

void ServerSession::Impl::authorize()
{
    const auto certificates = tls->peer_certificates();
    if (certificates.empty()) {
        fail_with(error_code::kClientCertificateNotSupplied, "the peer showed no certificate");
        return;
    }
    summary.subject = base::printable(certificates.front().subject(), 200);
    if (const auto serial = enrol::device_serial(certificates.front())) summary.serial_number = *serial;
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

void ServerSession::Impl::authorized(const enrol::AttributesDecision& decision)
{
    if (const auto* refused = std::get_if<enrol::Refused>(&decision)) {
        fail_with(refused->why == Refusal::unavailable || refused->why == Refusal::internal
                      ? error_code::kInfrastructureUnavailable
                      : error_of(refused->why),
                  refused->text);
        return;
    }
    attributes = std::get<enrol::CsrAttributes>(decision);
    if (attributes.identifiers.empty()) {
        // Who is not recognised is told what any request has to look like, and no name.
        fail_with(error_code::kClientCertificateRejected,
                  "the certificate is neither a known manufacturer's nor one that was issued here");
        return;
    }
    summary.issued_here = attributes.issued_here;
    for (const auto& one : attributes.identifiers)
        summary.names.push_back(one.value);
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
    Tlvs wanted;
    if (settings->csr_attributes)
        if (auto der = settings->csr_attributes(attributes); der && !der->empty())
            wanted.push_back({false, tlv_type::kCsrAttributes, std::move(*der)});
    wanted.push_back({false, tlv_type::kPkcs10, {}});
    send_tlvs({request_action_tlv(settings->request_status, wanted)});
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
        reject(why);
        return;
    }
    for (const auto type : {tlv_type::kPac, tlv_type::kEapPayload, tlv_type::kBasicPasswordAuthResp})
        if (find(tlvs, type) != nullptr) {
            fail_with(error_code::kUnexpectedTlvs, name_of_tlv(type) + " was not asked for");
            return;
        }
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
    if (pkcs10 != nullptr && settings->ask != AskPolicy::never) {
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

void ServerSession::Impl::handle_action(const Tlvs& tlvs)
{
    if (const auto* pkcs10 = find(tlvs, tlv_type::kPkcs10)) {
        enrol(*pkcs10);
        return;
    }
    if (wants_root) {
        wants_root = false;
        auto root = root_tlv();
        send_tlvs(root ? Tlvs{*root} : Tlvs{error_tlv(error_code::kGeneralPkiError)});
        return;
    }
    const bool declined = find(tlvs, tlv_type::kResult) != nullptr || find(tlvs, tlv_type::kNak) != nullptr;
    if (!declined) {
        fail_with(error_code::kUnexpectedTlvs, "neither a PKCS#10 nor a Result in the answer");
    } else if (settings->request_status == Status::failure) {
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
    if (parsed->key.type() == "other") {
        fail_with(error_code::kUnsupportedAlgorithmInCsr, "a key of a kind that is not certified here");
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
    } else if (const auto* pending = std::get_if<enrol::Pending>(&decision)) {
        const auto seconds = std::clamp<std::int64_t>(pending->retry_after.count(), 1, 86'400);
        fail_with(settings->pending_error, "not issued yet",
                  {retry_after_tlv(static_cast<std::uint32_t>(seconds), settings->numbers)});
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
    if (!bound) tlvs.push_back(binding_request());
    tlvs.push_back(result_tlv(Status::success));
    send_tlvs(tlvs);
}

ServerSession::ServerSession(std::shared_ptr<const ServerSettings> settings, crypto::TlsContext context,
                             enrol::RegistrationAuthority& authority, std::string peer_address,
                             std::string request_id)
    : impl_(std::make_shared<Impl>(std::move(settings), std::move(context), authority))
{
    impl_->address = std::move(peer_address);
    impl_->request_id = std::move(request_id);
}

ServerSession::~ServerSession() = default;

bool ServerSession::handle(ByteView octets, std::size_t mtu, std::function<void(Answer)> done)
{
    auto& impl = *impl_;
    using State = Impl::State;
    if (impl.state == State::over || impl.state == State::authorizing || impl.state == State::enrolling)
        return false;
    impl.limit = impl.settings->fragment_size;
    if (mtu >= kLeastMtu) impl.limit = std::min(impl.limit, mtu - kMtuSlack);
    if (octets.empty()) {
        if (impl.state != State::begin) return false;
        impl.done = std::move(done);
        impl.state = State::identity;
        impl.send(eap_type::kIdentity, {});
        return true;
    }
    const auto eap = parse_eap(octets);
    // RFC 3748 section 4.1: a response to another request is discarded in silence.
    if (!eap || eap->code != EapCode::response ||
        (impl.state != State::begin && eap->identifier != impl.identifier))
        return false;
    impl.done = std::move(done);
    if (++impl.rounds > kMostRounds) {
        impl.reject("too many packets in one conversation");
    } else if (impl.state == State::begin || impl.state == State::identity) {
        impl.begin(*eap);
    } else if (eap->type == eap_type::kNak) {
        impl.reject("the peer does not do TEAP");
    } else if (eap->type != eap_type::kTeap) {
        impl.reject(fmt::format("the peer answered with EAP type {}", eap->type));
    } else if (const auto frame = parse_frame(eap->data)) {
        impl.handle_frame(*frame);
    } else {
        impl.reject(frame.error().message);
    }
    return true;
}

Summary ServerSession::summary() const
{
    return impl_->summary;
}

} // namespace acmetool::teap
