#pragma once

#include <string>

#include "base/bytes.h"
#include "base/result.h"

using SSL = struct ssl_st;

namespace acmetool::crypto
{

enum class Side { client, server };

/// A value known only to the two ends of a TLS connection, to which a CSR can be bound (RFC 7030 section
/// 3.5).
struct ACMETOOL_EXPORT ChannelBinding {
    std::string type; ///< "tls-unique" (RFC 5929 section 3) or "tls-exporter" (RFC 9266)
    Bytes value;

    /// As in challengePassword: base64 with padding, one line (RFC 7030 section 3.5).
    std::string to_base64() const;
};

/// The binding of a connection after the handshake; `side` is our end.
///
/// TLS 1.2 gives tls-unique, TLS 1.3 gives tls-exporter with 32 octets, the same at both ends. `ssl` is
/// borrowed. Errc::unavailable, reason "noChannelBinding", before the end of the handshake, below TLS 1.2,
/// and for a resumed TLS 1.2 session without extended master secret, whose tls-unique proves nothing (RFC
/// 7627 section 5.4).
ACMETOOL_EXPORT Result<ChannelBinding> channel_binding(SSL* ssl, Side side);

} // namespace acmetool::crypto
