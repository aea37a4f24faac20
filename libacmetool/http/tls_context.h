#pragma once

#include <memory>
#include <string>

#include <openssl/ssl.h>

#include "base/result.h"
#include "crypto/openssl.h"
#include "http/server.h"

/// TLS for the HTTP server: contexts and results of handshakes. Only OpenSSL, no sockets.
namespace acmetool::http
{

using SslCtxPtr = crypto::Owned<SSL_CTX, SSL_CTX_free>;

/// A server context with the certificate, key and rules of `options`.
///
/// No renegotiation, no compression; TLS 1.2 and 1.3 by default. If client certificates are requested, any is
/// accepted (the application checks it) and sessions are never resumed: a ticket stores only the end entity
/// of the chain, and a device that was revoked in the meantime must present its certificate again. Errors:
/// config, reason "tlsCertificate" or "tlsKey".
Result<SslCtxPtr> make_server_context(const ServerOptions& options);

/// The result of the completed handshake of `ssl`.
std::shared_ptr<const TlsFacts> facts_of(SSL* ssl);

} // namespace acmetool::http
