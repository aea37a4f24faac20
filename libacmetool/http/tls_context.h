#pragma once

#include <memory>
#include <string>

#include <openssl/ssl.h>

#include "base/result.h"
#include "crypto/openssl.h"
#include "http/server.h"

/// The TLS side of the HTTP server: contexts, and what a handshake brought. OpenSSL only, no sockets.
namespace acmetool::http
{

using SslCtxPtr = crypto::Owned<SSL_CTX, SSL_CTX_free>;

/// A server context with the certificate, key and rules of `options`.
///
/// No renegotiation, no compression; TLS 1.2 and 1.3 by default. Where client certificates are asked for,
/// any is taken (the application judges it) and sessions are never resumed: a ticket keeps the end entity
/// but not the rest of the chain, and a device that was revoked meanwhile shows its certificate anew.
/// Errors: config, reason "tlsCertificate" or "tlsKey".
Result<SslCtxPtr> make_server_context(const ServerOptions& options);

/// What the finished handshake of `ssl` showed.
std::shared_ptr<const TlsFacts> facts_of(SSL* ssl);

} // namespace acmetool::http
