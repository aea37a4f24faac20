#include "teap/server.h"

#include <algorithm>

#include <fmt/core.h>

#include "base/text.h"
#include "teap/server_impl.h"

namespace acmetool::teap
{
namespace
{

constexpr const char* kIdentityRequest = "EAP-Request/Identity";
constexpr std::size_t kLeastMtu = 128;
constexpr std::size_t kMtuSlack = 4;
constexpr std::size_t kLongestIdentity = 253; // it becomes a User-Name

std::string step_of(ServerSession::Impl::State state)
{
    using State = ServerSession::Impl::State;
    switch (state) {
    case State::begin:
    case State::identity:
        return "the peer's identity";
    case State::start:
        return "an answer to the TEAP Start";
    case State::handshake:
        return "the TLS handshake";
    case State::authorizing:
    case State::enrolling:
        return "the registration authority";
    case State::voucher:
        return "the voucher";
    case State::binding:
        return "the peer's Crypto-Binding";
    case State::action:
        return "the peer's request";
    case State::result:
        return "the peer's Result after its certificate";
    case State::failing:
        return "the peer's answer to a failure";
    case State::over:
        return {};
    }
    return {};
}

} // namespace

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
    if (shows) show(false, "{" + describe(tlvs, settings->numbers) + "}", tlvs);
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
    show(false, "EAP-Success");
    answer(std::move(with));
}

void ServerSession::Impl::reject(std::string_view why)
{
    state = State::over;
    if (summary.text.empty()) summary.text = why;
    show(false, "EAP-Failure");
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
    // The NAS requested the identity itself, or forwards the answer to our request.
    if (state == State::begin) show(false, kIdentityRequest, {}, true);
    identifier = eap.identifier;
    if (eap.type != eap_type::kIdentity) {
        reject("the peer sent no identity");
        return;
    }
    summary.identity = as_text(eap.data).substr(0, kLongestIdentity);
    show(true, "EAP-Response/Identity " + base::printable(summary.identity, 100));
    send_start();
}

void ServerSession::Impl::send_start()
{
    Tlvs start{{false, tlv_type::kAuthorityId, settings->authority_id}};
    if (!Fragmenter::fits({{}, encode(start)}, limit)) start.clear();
    outer.server = encode(start);
    state = State::start;
    show(false, "TEAP Start" + (start.empty() ? "" : ", " + describe(start, settings->numbers)), start);
    send_message({{}, outer.server}, true);
}

void ServerSession::Impl::handle_frame(const Frame& frame)
{
    // RFC 7170 section 3.1: "If the TEAP server does not support the version number proposed by the TEAP
    // peer, it terminates the conversation with an EAP Failure".
    if (frame.version != kTeapVersion) {
        reject(fmt::format("the peer requires version {} of TEAP", frame.version));
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
    const bool is_hello = state == State::start;
    if (is_hello) {
        // RFC 7170 section 3.6.1: "If Outer TLVs are invalid or contain unknown values, they will be
        // ignored". The Compound-MAC is over their octets whatever they say.
        show(true, "TLS ClientHello", parse_tlvs(message.outer_tlvs).value_or(Tlvs{}));
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
    if (!was_established && !is_hello)
        show(true, fmt::format("TLS handshake ({} octets)", message.tls.size()));
    if (const auto fed = tls->feed(message.tls); !fed) {
        summary.text = fed.error().message;
        auto alert = tls->take_output();
        if (alert.empty()) {
            reject("");
            return;
        }
        state = State::failing;
        show(false, "TLS alert");
        send_message({std::move(alert), {}});
        return;
    }
    if (!tls->established()) {
        auto output = tls->take_output();
        if (output.empty()) {
            reject("the TLS handshake did not complete");
            return;
        }
        show(false, fmt::format("TLS handshake ({} octets)", output.size()));
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

ServerSession::ServerSession(std::shared_ptr<const ServerSettings> settings, crypto::TlsContext context,
                             enrol::RegistrationAuthority& authority, std::string peer_address,
                             std::string request_id, enrol::VoucherAuthority* vouchers, Show show)
    : impl_(std::make_shared<Impl>(std::move(settings), std::move(context), authority, vouchers))
{
    impl_->address = std::move(peer_address);
    impl_->request_id = std::move(request_id);
    impl_->shows = std::move(show);
}

ServerSession::~ServerSession() = default;

bool ServerSession::handle(ByteView octets, std::size_t mtu, std::function<void(Answer)> done)
{
    auto& impl = *impl_;
    using State = Impl::State;
    if (impl.state == State::over || impl.state == State::authorizing || impl.state == State::voucher ||
        impl.state == State::enrolling)
        return false;
    impl.limit = impl.settings->fragment_size;
    if (mtu >= kLeastMtu) impl.limit = std::min(impl.limit, mtu - kMtuSlack);
    if (octets.empty()) {
        if (impl.state != State::begin) return false;
        impl.done = std::move(done);
        impl.state = State::identity;
        impl.show(false, kIdentityRequest);
        impl.send(eap_type::kIdentity, {});
        return true;
    }
    const auto eap = parse_eap(octets);
    // RFC 3748 section 4.1: a response to another request is silently discarded.
    if (!eap || eap->code != EapCode::response ||
        (impl.state != State::begin && eap->identifier != impl.identifier))
        return false;
    impl.done = std::move(done);
    if (++impl.rounds > kMostRounds) {
        impl.reject("too many packets in one conversation");
    } else if (impl.state == State::begin || impl.state == State::identity) {
        impl.begin(*eap);
    } else if (eap->type == eap_type::kNak) {
        impl.reject("the peer does not support TEAP");
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
    auto summary = impl_->summary;
    summary.step = step_of(impl_->state);
    return summary;
}

} // namespace acmetool::teap
