#include "http/handshake_failure.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

namespace acmetool::http
{

const char* name_of(HandshakeCause cause)
{
    switch (cause) {
    case HandshakeCause::untrusted:
        return "untrusted";
    case HandshakeCause::version:
        return "version";
    case HandshakeCause::algorithms:
        return "algorithms";
    case HandshakeCause::client_certificate:
        return "client_certificate";
    case HandshakeCause::not_tls:
        return "not_tls";
    case HandshakeCause::timeout:
        return "timeout";
    case HandshakeCause::closed:
        return "closed";
    case HandshakeCause::proxy_header:
        return "proxy_header";
    case HandshakeCause::other:
        return "other";
    }
    return "other";
}

std::optional<HandshakeCause> handshake_cause_named(std::string_view name)
{
    for (int i = 0; i <= static_cast<int>(kLastHandshakeCause); ++i)
        if (const auto cause = static_cast<HandshakeCause>(i); name == name_of(cause)) return cause;
    return std::nullopt;
}

HandshakeCause handshake_cause(unsigned long openssl_error)
{
    if (ERR_GET_LIB(openssl_error) != ERR_LIB_SSL) return HandshakeCause::other;
    switch (ERR_GET_REASON(openssl_error)) {
    // Alerts have the names of the versions that introduced them; they are those of all versions.
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
    case SSL_R_TLSV1_BAD_CERTIFICATE_STATUS_RESPONSE:
        return HandshakeCause::untrusted;
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_UNKNOWN_PROTOCOL:
    case SSL_R_VERSION_TOO_LOW:
    case SSL_R_VERSION_TOO_HIGH:
    case SSL_R_WRONG_SSL_VERSION:
    case SSL_R_INAPPROPRIATE_FALLBACK:
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
    case SSL_R_TLSV1_ALERT_INAPPROPRIATE_FALLBACK:
        return HandshakeCause::version;
    case SSL_R_NO_SHARED_CIPHER:
    case SSL_R_NO_SHARED_GROUPS:
    case SSL_R_NO_SUITABLE_KEY_SHARE:
    case SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS:
    case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
    case SSL_R_TLSV1_ALERT_INSUFFICIENT_SECURITY:
    case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
        return HandshakeCause::algorithms;
    case SSL_R_CERTIFICATE_VERIFY_FAILED:
    case SSL_R_BAD_SIGNATURE:
    case SSL_R_EE_KEY_TOO_SMALL:
    case SSL_R_WRONG_SIGNATURE_TYPE:
    case SSL_R_WRONG_CERTIFICATE_TYPE:
    case SSL_R_UNKNOWN_CERTIFICATE_TYPE:
        return HandshakeCause::client_certificate;
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST:
    case SSL_R_WRONG_VERSION_NUMBER: // of a record, whose first octets are no record of TLS
        return HandshakeCause::not_tls;
    default:
        return HandshakeCause::other;
    }
}

} // namespace acmetool::http
