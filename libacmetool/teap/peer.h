#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
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

/// One TEAP message as it passed, decrypted, for `--show`.
struct Shown {
    bool by_peer = false;
    std::string text; ///< "TEAP Start, Authority-ID", "TLS (234 octets)", "{Crypto-Binding, Result=Success}"
    Tlvs tlvs;        ///< those in it
};

/// How a device that trusts nobody here yet comes to trust the server: by its manufacturer's voucher
/// (draft-lear-eap-teap-brski section 4.2).
struct Bootstrap {
    /// A voucher-request of this device, signed with its IDevID, that names the server's certificate.
    std::function<Result<Bytes>(const crypto::Certificate& server)> make_request;
    /// Judges the voucher and, by it, the certificates that the server showed. The error's reason tells the
    /// server what is wrong: "signature", "registrar" (the tunnel's certificate), else the voucher itself.
    std::function<Result<void>(ByteView voucher, const std::vector<crypto::Certificate>& server)> check;
};

struct PeerSettings {
    std::string identity = "anonymous"; ///< outer identity: not secret, not ours to trust
    std::size_t fragment_size = 1020;   ///< octets of an EAP packet
    std::optional<Kdf> kdf;             ///< none: RFC 9427 under TLS 1.3, else RFC 7170, whichever verifies
    MskSource msk_no_inner = MskSource::imck1;
    std::optional<std::uint16_t> identity_type = 2; ///< outer TLV (RFC 9427 section 2.2.1): 1 user, 2 machine
    bool request_enrolment = false;                 ///< send the PKCS#10 without being asked
    bool want_root = false;                         ///< ask for Trusted-Server-Root with the PKCS#10
    bool refuse_nai = false;                        ///< keep to `identity` whatever name the server gives
    /// With it, a server whose certificate `verifier` does not take is talked to provisionally: it gets a
    /// voucher-request, and nothing else before its voucher is good.
    std::optional<Bootstrap> bootstrap;
    bool require_binding = true; ///< a tunnel that nobody proved is refused; false: one known server
    BrskiNumbers numbers;
    /// Makes the request. `attributes`: the CSR-Attributes TLV, DER, if there was one; `binding`: the
    /// tunnel's, where the TLS version has one that the specification names. Empty: this peer never enrols.
    std::function<Result<crypto::Csr>(const std::optional<Bytes>& attributes,
                                      const std::optional<crypto::ChannelBinding>& binding)>
        make_request;
    std::function<void(const Shown&)> show; ///< may be empty
};

/// What the conversation brought.
struct PeerResult {
    bool accepted = false;                          ///< EAP-Success after a proven, protected result
    bool asked = false;                             ///< the server asked for enrolment
    std::optional<crypto::Certificate> certificate; ///< the one of our request's key
    std::vector<crypto::Certificate> certificates;  ///< all of the PKCS#7 TLV, in its order
    std::vector<crypto::Certificate> roots;         ///< of Trusted-Server-Root
    std::vector<std::uint32_t> errors;              ///< of Error TLVs
    std::optional<std::chrono::seconds> retry_after;
    bool provisional = false; ///< nobody vouched for the server's certificate
    Bytes voucher;            ///< that was found good
    std::string nai;          ///< to be used from now on (draft-lear-eap-teap-brski section 5); may be empty
    ExportedKeys keys;
    std::string tls;    ///< "TLSv1.3"
    std::string cipher; ///< suite
    std::optional<Kdf> kdf;
};

/// One EAP conversation as a peer. No sockets.
class ACMETOOL_EXPORT PeerSession
{
public:
    /// `verifier` judges the server's certificates; it is what makes the server an authenticated one. Empty:
    /// nobody is, which is of use with a Bootstrap only.
    PeerSession(PeerSettings settings, crypto::TlsContext context, crypto::TlsEngine::Verifier verifier);
    ~PeerSession();
    PeerSession(const PeerSession&) = delete;
    PeerSession& operator=(const PeerSession&) = delete;

    /// Takes one EAP packet and returns the answer: nothing after Success and Failure, and for what is
    /// discarded in silence. An error is ours to report, and ends the conversation: fetch last_words() first.
    Result<std::optional<Bytes>> handle(ByteView eap);
    /// How long the answer that handle() returned last is to be kept back.
    std::chrono::seconds delay() const;
    /// What the server is still to be told after an error, e.g. an alert; may be empty.
    std::optional<Bytes> last_words();
    bool over() const;
    const PeerResult& result() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace acmetool::teap
