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
#include "crypto/cert.h"
#include "crypto/tls_engine.h"
#include "enrol/registration_authority.h"
#include "enrol/voucher_authority.h"
#include "teap/crypto_binding.h"
#include "teap/numbers.h"
#include "teap/tlv.h"

namespace acmetool::teap
{

/// When an accepted device is asked for a PKCS#10.
enum class AskPolicy {
    needed, ///< it presents a manufacturer's certificate, or an issued one that expires soon
    always,
    never, ///< nor may it send one unrequested
};

/// The order in which the server proves the tunnel and requests enrolment.
enum class Order {
    binding_first, ///< Crypto-Binding and Result, then Request-Action, and another Result (the seed)
    binding_last,  ///< Request-Action, PKCS#10, and Crypto-Binding with the PKCS#7 and the Result
};

/// Where CSR-Attributes are sent with the Request-Action for a PKCS#10.
enum class AttributesPlace {
    beside, ///< in the same message (RFC 9930 section 3.11.1)
    nested, ///< in the Request-Action (draft-lear-eap-teap-brski), after the PKCS#10
    both,   ///< for peers of either kind
};

struct ServerSettings {
    Bytes authority_id{0x61, 0x63, 0x6d, 0x65}; ///< Authority-ID TLV; 1 to 253 octets
    std::string label;                          ///< CA label of the requests
    std::size_t fragment_size = 1020;           ///< octets of an EAP packet
    std::optional<Kdf> kdf;                     ///< none: determined by the TLS version
    MskSource msk_no_inner = MskSource::imck1;
    Order order = Order::binding_first;
    Status request_status = Status::failure; ///< of the Request-Action
    /// Creates the CSR-Attributes TLV that is sent with the Request-Action for a PKCS#10; empty: none is
    /// sent.
    std::function<Result<Bytes>(const enrol::CsrAttributes&)> csr_attributes;
    AttributesPlace attributes_place = AttributesPlace::both;
    bool cert_only = true; ///< accept a certificate without enrolment with TLS 1.3 (RFC 9427 2.2.1)
    AskPolicy ask = AskPolicy::needed;
    base::Margin renew; ///< of issued certificates
    std::uint32_t pending_error =
        error_code::kInternalCaError; ///< sent if the CA takes longer than we may wait
    std::chrono::seconds hold{20};    ///< longest wait of an answer for the CA
    /// Longest wait for a certificate in the same tunnel (the draft's section 4.5); 0: the device returns in
    /// a new one.
    std::chrono::seconds retry_in_tunnel{0};
    /// Anchors of the server's own certificate, sent with those of the registration authority.
    std::vector<crypto::Certificate> own_anchors;
    std::string nai; ///< for the peer's next conversations, sent with its certificate; empty: none
    BrskiNumbers numbers;
    std::function<base::TimePoint()> now; ///< empty: the system's clock
};

/// How a conversation continues.
enum class Outcome { proceed, accept, reject };

/// The events of one conversation, for logs and the rules for Access-Accept. Contains no secrets.
struct Summary {
    std::string identity;           ///< outer identity, as sent by the peer
    std::string tls;                ///< "TLSv1.3"
    std::string subject;            ///< of the client certificate; may be empty
    std::string device;             ///< its identifier, from the registration authority; may be empty
    std::string serial_number;      ///< likewise
    std::string manufacturer;       ///< likewise
    std::vector<std::string> names; ///< names of the device, from the registration authority
    bool issued_here = false;       ///< it presented an issued certificate
    bool enrolled = false;          ///< it received a certificate in this conversation
    std::string serial;             ///< of that certificate
    bool vouched = false;           ///< it accepted its voucher in this conversation
    std::uint32_t error = 0;        ///< Error TLV that was sent; 0: none
    std::string step;               ///< what it waits for, or waited for last: "the TLS handshake"
    std::string text;               ///< why not
};

struct Answer {
    Outcome outcome = Outcome::proceed;
    Bytes eap;
    ExportedKeys keys;                 ///< accept only
    Bytes session_id;                  ///< accept only (RFC 9427 section 2.1, RFC 7170 section 5.4)
    std::chrono::seconds peer_wait{0}; ///< the peer was asked not to answer sooner
};

/// One EAP conversation as a server: Identity, then TEAP (RFC 7170, RFC 9427, RFC 9930). Independent of
/// sockets.
///
/// Calls must be sequential: the next one after the answer to the previous one. Decisions of the registration
/// authority arrive on its threads: `done` is called on the thread that completes the answer.
class ACMETOOL_EXPORT ServerSession
{
public:
    /// `authority` and `vouchers` are not owned and must outlive the session. With `vouchers`, devices that
    /// need a voucher first follow draft-lear-eap-teap-brski. `show` is called with each message, on the
    /// thread that makes or takes it; may be empty.
    ServerSession(std::shared_ptr<const ServerSettings> settings, crypto::TlsContext context,
                  enrol::RegistrationAuthority& authority, std::string peer_address, std::string request_id,
                  enrol::VoucherAuthority* vouchers = nullptr, Show show = {});
    ~ServerSession();
    ServerSession(const ServerSession&) = delete;
    ServerSession& operator=(const ServerSession&) = delete;

    /// Processes one EAP packet (empty: EAP-Start). `mtu`: Framed-MTU; 0: unknown. `done` is called once.
    /// Returns false, without calling `done`, if the packet must be silently discarded (RFC 3748 section
    /// 4.1).
    bool handle(ByteView eap, std::size_t mtu, std::function<void(Answer)> done);

    /// The events so far. Only call this between calls of handle().
    Summary summary() const;

    struct Impl;

private:
    std::shared_ptr<Impl> impl_;
};

} // namespace acmetool::teap
