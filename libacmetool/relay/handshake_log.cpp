#include "relay/handshake_log.h"

#include <optional>

#include <nlohmann/json.hpp>

namespace acmetool::relay
{
namespace
{

/// What a person who reads the log has to look for.
std::string_view words_of(http::HandshakeCause cause)
{
    using http::HandshakeCause;
    switch (cause) {
    case HandshakeCause::untrusted:
        return "the client does not trust the certificate in [tls]";
    case HandshakeCause::version:
        return "the client and the relay have no TLS version in common";
    case HandshakeCause::algorithms:
        return "the client and the relay have no cipher, group or signature algorithm in common";
    case HandshakeCause::client_certificate:
        return "the client's certificate has a key or a signature that the relay does not take";
    case HandshakeCause::not_tls:
        return "the client does not speak TLS";
    case HandshakeCause::timeout:
        return "the client did not complete the TLS handshake in time";
    case HandshakeCause::closed:
        return "the client closed the connection during the TLS handshake";
    case HandshakeCause::proxy_header:
        return "the connection of the load balancer cannot be used";
    case HandshakeCause::other:
        break;
    }
    return "the TLS handshake failed";
}

} // namespace

void HandshakeLog::take(const http::HandshakeFailure& failure)
{
    std::optional<std::uint64_t> times;
    {
        const std::lock_guard lock{mutex_};
        times = told_.take({failure.cause, failure.address});
    }
    if (!times) return;
    std::string text{words_of(failure.cause)};
    if (!failure.words.empty()) text += ": " + failure.words;
    events_.event({{"event", "handshake"},
                   {"level", "warning"},
                   {"address", failure.address},
                   {"cause", http::name_of(failure.cause)},
                   {"times", *times},
                   {"text", std::move(text)}});
}

} // namespace acmetool::relay
