#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "crypto/tls_engine.h"
#include "teap/crypto_binding.h"
#include "teap/numbers.h"
#include "teap/server.h"
#include "teap/tlv.h"

namespace acmetool::teap
{

/// How a device without trust anchors authenticates the server: by its manufacturer's voucher
/// (draft-lear-eap-teap-brski section 4.2).
struct Bootstrap {
    /// A voucher-request of this device, signed with its IDevID, with the server's certificate.
    std::function<Result<Bytes>(const crypto::Certificate& server)> make_request;
    /// Verifies the voucher and, with it, the server's certificates. The error's reason is sent to the
    /// server: "signature", "registrar" (the tunnel's certificate), else the voucher itself.
    std::function<Result<void>(ByteView voucher, const std::vector<crypto::Certificate>& server)> check;
};

struct PeerSettings {
    std::string identity = "anonymous"; ///< outer identity: neither secret nor trusted
    std::size_t fragment_size = 1020;   ///< octets of an EAP packet
    std::optional<Kdf> kdf;             ///< none: RFC 9427 under TLS 1.3, else RFC 7170, whichever verifies
    MskSource msk_no_inner = MskSource::imck1;
    /// Outer TLV (RFC 9427 section 2.2.1): 1 user, 2 machine. Omitted if the ClientHello leaves no room for
    /// it in the first packet.
    std::optional<std::uint16_t> identity_type = 2;
    bool request_enrolment = false; ///< send the PKCS#10 even if not requested
    bool want_root = false;         ///< request Trusted-Server-Root with the PKCS#10
    bool refuse_nai = false;        ///< keep `identity` even if the server assigns another
    /// If set, a server whose certificate `verifier` does not accept is provisional: it gets only a
    /// voucher-request until its voucher is verified.
    std::optional<Bootstrap> bootstrap;
    bool require_binding = true; ///< require a proof of the tunnel; false: for one known server
    BrskiNumbers numbers;
    /// Creates the request. `attributes`: the CSR-Attributes TLV, DER, if there was one; `binding`: the
    /// tunnel's, if the specification defines one for the TLS version. Empty: this peer never enrols.
    std::function<Result<crypto::Csr>(const std::optional<Bytes>& attributes,
                                      const std::optional<crypto::ChannelBinding>& binding)>
        make_request;
    Show show; ///< may be empty
};

/// The result of the conversation.
struct PeerResult {
    bool accepted = false;                          ///< EAP-Success after a proven, protected result
    bool asked = false;                             ///< the server requested enrolment
    std::optional<crypto::Certificate> certificate; ///< the certificate for our request's key
    std::vector<crypto::Certificate> certificates;  ///< all of the PKCS#7 TLV, ours first
    std::vector<crypto::Certificate> roots;         ///< of Trusted-Server-Root
    std::vector<std::uint32_t> errors;              ///< of Error TLVs
    std::optional<std::chrono::seconds> retry_after;
    bool provisional = false; ///< the server's certificate was not authenticated
    /// The inner method that the server wants and this peer refused: "a password", "EAP type 26"; empty:
    /// none.
    std::string wanted;
    Bytes voucher;   ///< the verified voucher
    std::string nai; ///< to use in later conversations (draft-lear-eap-teap-brski section 5); may be empty
    ExportedKeys keys;
    std::string tls;    ///< "TLSv1.3"
    std::string cipher; ///< suite
    std::optional<Kdf> kdf;
};

/// The realm of an identity (NAI, RFC 7542), which the server's certificate has to name (RFC 9930
/// section 3.4). Empty if there is none, or if it is below eap.arpa, which stands for no server (RFC 9965).
ACMETOOL_EXPORT std::string realm_to_verify(std::string_view identity);

/// One EAP conversation as a peer. Independent of sockets.
class ACMETOOL_EXPORT PeerSession
{
public:
    /// `verifier` authenticates the server by its certificates. Empty: no server is authenticated, which is
    /// useful only with a Bootstrap.
    PeerSession(PeerSettings settings, crypto::TlsContext context, crypto::TlsEngine::Verifier verifier);
    ~PeerSession();
    PeerSession(const PeerSession&) = delete;
    PeerSession& operator=(const PeerSession&) = delete;

    /// Processes one EAP packet and returns the answer: nothing after Success and Failure, and for packets
    /// that are silently discarded. An error ends the conversation; call last_words() first.
    Result<std::optional<Bytes>> handle(ByteView eap);
    /// The time to wait before sending the last answer of handle().
    std::chrono::seconds delay() const;
    /// The last packet for the server after an error, such as an alert; may be empty.
    std::optional<Bytes> last_words();
    bool over() const;
    const PeerResult& result() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace acmetool::teap
