#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/context.h"
#include "base/result.h"
#include "crypto/tls_engine.h"
#include "enrol/registration_authority.h"
#include "enrol/voucher_authority.h"
#include "teap/crypto_binding.h"
#include "teap/numbers.h"

namespace acmetool::teap
{

/// When a device that was let in is asked for a PKCS#10.
enum class AskPolicy {
    needed, ///< it shows a manufacturer's certificate, or one of ours past its share of life
    always,
    never, ///< nor may it ask for itself
};

/// In which order the server proves the tunnel and asks for enrolment.
enum class Order {
    binding_first, ///< Crypto-Binding and Result, then Request-Action, and another Result (the seed)
    binding_last,  ///< Request-Action, PKCS#10, and Crypto-Binding with the PKCS#7 and the Result
};

struct ServerSettings {
    Bytes authority_id{0x61, 0x63, 0x6d, 0x65}; ///< Authority-ID TLV; 1 to 253 octets
    std::string label;                          ///< CA label that requests count under
    std::size_t fragment_size = 1020;           ///< octets of an EAP packet
    std::optional<Kdf> kdf;                     ///< none: as the TLS version has it
    MskSource msk_no_inner = MskSource::imck1;
    Order order = Order::binding_first;
    Status request_status = Status::failure; ///< of the Request-Action
    /// Makes the CSR-Attributes TLV that stands beside the PKCS#10 in the Request-Action; empty: none is
    /// sent.
    std::function<Result<Bytes>(const enrol::CsrAttributes&)> csr_attributes;
    bool cert_only = true; ///< let in by certificate alone under TLS 1.3, without enrolment (RFC 9427 2.2.1)
    AskPolicy ask = AskPolicy::needed;
    base::Margin renew; ///< of our certificates
    std::uint32_t pending_error =
        error_code::kInternalCaError; ///< where the CA takes longer than we may wait
    /// A certificate that is not there yet, but in so short a time, is waited for in the same tunnel (the
    /// draft's section 4.5); 0: in a new one.
    std::chrono::seconds retry_in_tunnel{0};
    std::string nai; ///< for the peer's next conversations, sent with its certificate; empty: none
    BrskiNumbers numbers;
    std::function<base::TimePoint()> now; ///< empty: the system's clock
};

/// How a conversation goes on.
enum class Outcome { proceed, accept, reject };

/// What happened in one conversation; for logs and for the rules of Access-Accept. Nothing secret.
struct Summary {
    std::string identity;           ///< outer identity, as the peer gave it
    std::string tls;                ///< "TLSv1.3"
    std::string subject;            ///< of the client certificate; may be empty
    std::string serial_number;      ///< of the device, as the registration authority knows it; may be empty
    std::vector<std::string> names; ///< what it may be called, likewise
    bool issued_here = false;       ///< it showed a certificate of ours
    bool enrolled = false;          ///< it got a certificate in this conversation
    std::string serial;             ///< of that certificate
    bool vouched = false;           ///< it took its voucher in this conversation
    std::uint32_t error = 0;        ///< Error TLV that was sent; 0: none
    std::string text;               ///< why not
};

struct Answer {
    Outcome outcome = Outcome::proceed;
    Bytes eap;
    ExportedKeys keys;                 ///< accept only
    Bytes session_id;                  ///< accept only (RFC 9427 section 2.1, RFC 7170 section 5.4)
    std::chrono::seconds peer_wait{0}; ///< the peer was told to answer no sooner
};

/// One EAP conversation as a server: Identity, then TEAP (RFC 7170, RFC 9427, RFC 9930). No sockets.
///
/// Calls come one after the other; the next one when the answer to the last was given. Decisions of the
/// registration authority come from its threads: `done` is called by whoever made the answer complete.
class ACMETOOL_EXPORT ServerSession
{
public:
    /// `authority` and `vouchers` are not owned and outlive the session. With `vouchers`, the devices that it
    /// wants one of are led through draft-lear-eap-teap-brski first.
    ServerSession(std::shared_ptr<const ServerSettings> settings, crypto::TlsContext context,
                  enrol::RegistrationAuthority& authority, std::string peer_address, std::string request_id,
                  enrol::VoucherAuthority* vouchers = nullptr);
    ~ServerSession();
    ServerSession(const ServerSession&) = delete;
    ServerSession& operator=(const ServerSession&) = delete;

    /// Takes one EAP packet (empty: EAP-Start). `mtu`: Framed-MTU, 0: not told. `done` is called once, or not
    /// at all where the packet is to be discarded in silence (RFC 3748 section 4.1), which the return value
    /// says: false.
    bool handle(ByteView eap, std::size_t mtu, std::function<void(Answer)> done);

    /// What is known so far. Between calls only.
    Summary summary() const;

    struct Impl;

private:
    std::shared_ptr<Impl> impl_;
};

} // namespace acmetool::teap
