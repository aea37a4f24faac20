#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "crypto/cert.h"
#include "crypto/key.h"

/// The server's side of tls-alpn-01 (RFC 8737): only handshakes that present a certificate as proof.
namespace acmetool::crypto
{

/// The server name (SNI) of a validation of `name`: the name itself, or for an address its reverse name, such
/// as "1.0.0.127.in-addr.arpa", because SNI cannot contain an address (RFC 8738 section 6).
ACMETOOL_EXPORT std::string alpn_server_name(const std::string& name);

/// The proof of control of one name.
struct AlpnProof {
    Certificate certificate; ///< self-signed, only for that name, with a critical acmeIdentifier
    Key key;
};
/// Creates a key and the certificate that RFC 8737 section 3 requires. `name` is a domain name or an address,
/// `digest` the SHA-256 of the key authorization. bad_input if a certificate cannot contain the name.
ACMETOOL_EXPORT Result<AlpnProof> make_alpn_proof(const std::string& name, ByteView digest);

/// The proofs offered at one port. One thread changes them while another runs handshakes.
class ACMETOOL_EXPORT AlpnProofs
{
public:
    AlpnProofs();
    ~AlpnProofs();
    AlpnProofs(const AlpnProofs&) = delete;
    AlpnProofs& operator=(const AlpnProofs&) = delete;

    void put(const std::string& name, AlpnProof proof);
    void remove(const std::string& name);
    bool empty() const;

private:
    friend class AlpnHandshake;
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

/// One connection to a port with proofs, without the socket. A client without the ALPN protocol "acme-tls/1",
/// or with a name without proof, gets an alert; nothing is sent after the handshake.
class ACMETOOL_EXPORT AlpnHandshake
{
public:
    explicit AlpnHandshake(const AlpnProofs& proofs);
    ~AlpnHandshake();
    AlpnHandshake(const AlpnHandshake&) = delete;
    AlpnHandshake& operator=(const AlpnHandshake&) = delete;

    /// Processes records and appends the octets to send. False: the connection must be closed after them.
    bool feed(ByteView records, Bytes& reply);

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace acmetool::crypto
