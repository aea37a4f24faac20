#pragma once

#include <optional>
#include <string>
#include <string_view>

/// Why a client of the HTTP server got no TLS connection.
namespace acmetool::http
{

/// Logs have it by its name.
enum class HandshakeCause {
    untrusted,          ///< the client refused the server's certificate
    version,            ///< no version of TLS in common
    algorithms,         ///< no cipher, group or kind of signature in common
    client_certificate, ///< the server refused the client's key or signature
    not_tls,            ///< plain HTTP or another protocol
    timeout,            ///< it took too long
    closed,             ///< the client went away without a word
    proxy_header,       ///< a load balancer sent no PROXY header that can be read; the words say why
    other,              ///< only the words of the TLS library say it
};
constexpr HandshakeCause kLastHandshakeCause = HandshakeCause::other;
const char* name_of(HandshakeCause cause);
std::optional<HandshakeCause> handshake_cause_named(std::string_view name);

/// The cause that an error code of OpenSSL stands for.
HandshakeCause handshake_cause(unsigned long openssl_error);

struct HandshakeFailure {
    std::string address; ///< of the client
    HandshakeCause cause = HandshakeCause::other;
    std::string words; ///< of the TLS library, or of what read the header; printable; may be empty
};

} // namespace acmetool::http
