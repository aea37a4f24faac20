#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "crypto/cert.h"
#include "crypto/key.h"

/// The server's side of tls-alpn-01 (RFC 8737): handshakes that show a certificate as proof, and nothing
/// else.
namespace acmetool::crypto
{

/// The server name under which a validation asks for `name`: the name itself, or for an address its reverse
/// name, as "1.0.0.127.in-addr.arpa", for SNI holds no address (RFC 8738 section 6).
ACMETOOL_EXPORT std::string alpn_server_name(const std::string& name);

/// What proves the control of one name.
struct AlpnProof {
    Certificate certificate; ///< self-signed, for just that name, with a critical acmeIdentifier
    Key key;
};
/// Makes a key and the certificate that RFC 8737 section 3 asks for. `name` is a domain name or an address,
/// `digest` the SHA-256 of the key authorization. bad_input where no certificate can hold the name.
ACMETOOL_EXPORT Result<AlpnProof> make_alpn_proof(const std::string& name, ByteView digest);

/// The proofs that stand at one port. Changed by one thread while another shakes hands.
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

/// One connection to a port with proofs, without the socket. Whoever does not ask by ALPN for "acme-tls/1",
/// or asks for a name without proof, gets an alert; after a handshake nothing is said any more.
class ACMETOOL_EXPORT AlpnHandshake
{
public:
    explicit AlpnHandshake(const AlpnProofs& proofs);
    ~AlpnHandshake();
    AlpnHandshake(const AlpnHandshake&) = delete;
    AlpnHandshake& operator=(const AlpnHandshake&) = delete;

    /// Takes records and appends what is to be sent. False: that was the last, the connection is of no
    /// further use.
    bool feed(ByteView records, Bytes& reply);

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace acmetool::crypto
