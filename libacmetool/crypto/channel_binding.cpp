#include "crypto/channel_binding.h"

#include <array>
#include <string_view>

#include <openssl/ssl.h>

#include "base/base64url.h"
#include "crypto/openssl.h"

namespace acmetool::crypto
{
namespace
{

tl::unexpected<Error> no_binding(std::string_view why)
{
    auto failure = openssl_failure(Errc::unavailable, why);
    failure.value().reason = "noChannelBinding";
    return failure;
}

/// RFC 9266 section 2: label "EXPORTER-Channel-Binding", zero-length context, 32 octets.
Result<ChannelBinding> tls_exporter(SSL* ssl)
{
    constexpr std::string_view kLabel = "EXPORTER-Channel-Binding";
    ChannelBinding binding{.type = "tls-exporter", .value = Bytes(32)};
    const unsigned char no_context = 0;
    if (SSL_export_keying_material(ssl, binding.value.data(), binding.value.size(), kLabel.data(),
                                   kLabel.size(), &no_context, 0, 1) != 1)
        return no_binding("the TLS library exports no channel binding");
    return binding;
}

Result<ChannelBinding> tls_unique(SSL* ssl, Side side)
{
    const bool resumed = SSL_session_reused(ssl) == 1;
    if (resumed && SSL_get_extms_support(ssl) != 1)
        return no_binding("a resumed session without extended master secret has no channel binding");
    // RFC 5929 section 3.1: "The first TLS Finished message sent ... in the most recent TLS handshake". In a
    // full handshake the client sends first, in an abbreviated one the server.
    const bool ours = (side == Side::client) != resumed;
    std::array<std::uint8_t, EVP_MAX_MD_SIZE> finished{};
    const std::size_t size = ours ? SSL_get_finished(ssl, finished.data(), finished.size())
                                  : SSL_get_peer_finished(ssl, finished.data(), finished.size());
    if (size == 0 || size > finished.size()) return no_binding("the TLS connection has no Finished message");
    return ChannelBinding{.type = "tls-unique", .value = {finished.data(), finished.data() + size}};
}

} // namespace

std::string ChannelBinding::to_base64() const
{
    return base::to_base64(value);
}

Result<ChannelBinding> channel_binding(SSL* ssl, Side side)
{
    if (ssl == nullptr || SSL_is_init_finished(ssl) != 1)
        return no_binding("there is no channel binding before the TLS handshake is complete");
    const int version = SSL_version(ssl);
    if (version == TLS1_3_VERSION) return tls_exporter(ssl);
    if (version == TLS1_2_VERSION) return tls_unique(ssl, side);
    return no_binding("channel bindings require TLS 1.2 or 1.3");
}

} // namespace acmetool::crypto
