#pragma once

#include <optional>

#include "teap/fragments.h"
#include "teap/server.h"
#include "teap/tlv.h"

namespace acmetool::teap
{

/// What the registration authority was asked for when it refused.
enum class Asked { attributes, certificate };

/// The draft's table, "Error Handling"; for the rest, the closest code of RFC 7170 section 4.2.6.
std::uint32_t error_of(enrol::Refusal refusal, Asked asked);

/// A conversation's state. Packets and the handshake are in server.cpp, TLVs in server_phase_2.cpp, vouchers
/// and enrolment in server_voucher.cpp and server_enrolment.cpp.
struct ServerSession::Impl : std::enable_shared_from_this<ServerSession::Impl> {
    enum class State {
        begin,       ///< nothing was sent yet
        identity,    ///< Identity request sent
        start,       ///< TEAP Start sent
        handshake,   ///< TLS
        authorizing, ///< waiting for the registration authority
        binding,     ///< Crypto-Binding and Result sent
        action,      ///< Request-Action sent, or a later answer in the enrolment
        voucher,     ///< the registrar has the voucher-request
        enrolling,   ///< the registration authority has the CSR
        result,      ///< PKCS#7 and Result sent
        failing,     ///< an alert, or Result failure, sent
        over,
    };

    std::shared_ptr<const ServerSettings> settings;
    crypto::TlsContext context;
    enrol::RegistrationAuthority& authority;
    enrol::VoucherAuthority* vouchers;
    Summary summary;
    std::string address;
    std::string request_id;
    Show shows; ///< may be empty

    State state = State::begin;
    std::uint8_t identifier = 0; ///< of the last request
    std::size_t limit = 0;
    unsigned rounds = 0;
    unsigned naks = 0;
    std::function<void(Answer)> done;
    std::chrono::seconds peer_wait{0}; ///< before the peer answers the next packet

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
    /// The progress of a device that needs a voucher.
    enum class Voucher { none, wanted, sent, taken };
    Voucher voucher = Voucher::none;

    Impl(std::shared_ptr<const ServerSettings> with, crypto::TlsContext tls_context,
         enrol::RegistrationAuthority& ra, enrol::VoucherAuthority* registrar)
        : settings(std::move(with)), context(std::move(tls_context)), authority(ra), vouchers(registrar)
    {
    }

    base::TimePoint now() const { return settings->now ? settings->now() : base::now(); }
    void answer(Answer with)
    {
        with.peer_wait = std::exchange(peer_wait, {});
        const auto to = std::exchange(done, {});
        to(std::move(with));
    }
    void show(bool by_peer, std::string text, const Tlvs& tlvs = {}, bool inferred = false) const
    {
        if (!shows) return;
        auto device = tls ? enrol::holder_of(tls->peer_certificates()) : std::string{};
        shows({by_peer, std::move(text), tlvs, std::move(device), inferred});
    }
    void send(std::uint8_t type, Bytes data);
    void send_frame(const Frame& frame) { send(eap_type::kTeap, frame.encode()); }
    void send_message(Message message, bool start = false);
    void send_tlvs(const Tlvs& tlvs);
    void flush() { send_message({tls->take_output(), {}}); }
    void accept();
    void reject(std::string_view why);
    void fail_with(std::uint32_t code, std::string_view why, Tlvs more = {});
    /// The same, with Retry-After where a later try helps.
    void refuse(const enrol::Refused& refused, Asked asked);

    void begin(const EapPacket& eap);
    void send_start();
    void handle_frame(const Frame& frame);
    void handle_message(Message message);
    void authorize();
    void authorized(const enrol::AttributesDecision& decision);
    bool take_attributes(const enrol::AttributesDecision& decision);
    void begin_phase_2();
    bool derive_keys();
    Tlv binding_request();
    void send_binding();
    void send_action();
    void handle_phase_2(const Bytes& data);
    std::optional<Tlvs> with_requested(Tlvs tlvs);
    void handle_tlvs(const Tlvs& tlvs);
    void end_by_peer(const std::string& why);
    bool check_binding(const Tlvs& tlvs);
    void after_binding(const Tlvs& tlvs);
    void handle_action(const Tlvs& tlvs);
    void handle_voucher_request(const Tlvs& tlvs);
    void vouched(const enrol::VoucherDecision& decision);
    bool heard_of_voucher(const Tlvs& tlvs);
    void send_voucher(Bytes voucher);
    Tlvs answers_to(const Tlvs& tlvs);
    std::optional<Tlv> attributes_tlv() const;
    void enrol(const Tlv& pkcs10);
    void decided(const enrol::Decision& decision);
    void pending(std::chrono::seconds retry_after);
    void issued(const crypto::Certificate& certificate);
    std::optional<Tlv> root_tlv() const;
    enrol::Peer peer() const
    {
        enrol::Peer who;
        who.certificates = tls->peer_certificates();
        who.address = address;
        return who;
    }
};

} // namespace acmetool::teap
