#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/context.h"
#include "base/result.h"
#include "crypto/cert.h"
#include "crypto/channel_binding.h"
#include "crypto/key.h"
#include "crypto/path.h"
#include "http/client.h"

/// HTTPS for protocols that depend on the connection itself: its peer, its channel binding, and whether it is
/// still the same one.
namespace acmetool::http
{

/// One TLS connection to a server that is authorized or provisional.
struct Connection {
    std::uint64_t id = 0;                                 ///< unique among the connections of the transport
    std::string tls_version;                              ///< "TLSv1.3"
    unsigned requests = 0;                                ///< requests sent on it so far
    bool provisional = false;                             ///< the server was not authorized
    std::vector<crypto::Certificate> server_certificates; ///< as the server sent them, its own first
    Result<crypto::ChannelBinding> binding = fail(Errc::internal, "not connected");
};

/// Sends requests; tests replace it. Used by one thread at a time.
class ACMETOOL_EXPORT Transport
{
public:
    virtual ~Transport() = default;

    /// The connection to the origin of `url`, opened if there is none.
    virtual Result<Connection> connect(std::string_view url) = 0;
    /// Sends only on that connection; fails with reason "reset" if it is closed.
    virtual Result<Response> send(const Request& request) = 0;
};

struct TlsIdentity {
    /// End entity first. Missing intermediates are taken from the explicit trust.
    std::vector<crypto::Certificate> certificates;
    crypto::Key key;
};

/// Reads certificate and key files, which must belong together. The key may be encrypted. Errc::config.
ACMETOOL_EXPORT Result<TlsIdentity> load_identity(const std::string& certificate_file,
                                                  const std::string& key_file,
                                                  const std::string& passphrase_file);

/// The rules for authorizing a server (RFC 7030 section 3.6).
struct ServerTrust {
    /// If its path ends here, its certificate must have the URL's name or id-kp-cmcRA (section 3.6.1).
    std::vector<crypto::Certificate> explicit_anchors;
    /// An explicit anchor may be the server's certificate, whatever its names, because this pins the server.
    bool pinned_server = false;
    /// Additional certificates for building paths; not trust anchors.
    std::vector<crypto::Certificate> explicit_others;
    /// If its path ends here, its certificate must have the URL's name (section 3.6.2).
    std::optional<crypto::TrustAnchors> implicit_anchors;
    bool clock = true; ///< false: this host has none (crypto::PathPolicy::clock)
    /// Accept any server: for a bootstrap whose answers are verified by other means (section 4.1.1, RFC 8995
    /// section 5.1). No identity is presented to such a server unless `identity` is also set.
    bool provisional = false;
};

/// Whether the server that presents `certificates`, its own first, is authorized for `host`: what TlsClient
/// does in its handshakes. Errors: unavailable, reason "tls"; config, reason "caFile".
ACMETOOL_EXPORT Result<void> authorize_server(const std::vector<crypto::Certificate>& certificates,
                                              const std::string& host, const ServerTrust& trust);

struct TlsClientOptions {
    ServerTrust trust;
    std::optional<TlsIdentity> identity;
    bool tls12_only = false; ///< for servers that require tls-unique
    std::chrono::milliseconds connect_timeout{10'000};
    std::chrono::milliseconds request_timeout{60'000};
    std::size_t body_limit = 1U << 20U;
    std::string user_agent; ///< default "acme-integrations/<version>"
};

/// An HTTPS client with one connection at a time, kept while server and origin allow it (OpenSSL).
///
/// TLS 1.2 or later (RFC 8996), no session resumption and no renegotiation, so that a channel binding is
/// this connection's (RFC 5929 section 3.1). A server of TLS 1.3 may request the client certificate after the
/// handshake, which leaves the binding as it is. The server is authorized during the handshake: nothing is
/// sent to an unauthorized one. The caller handles redirects and HTTP authentication.
///
/// Errors: config (reason "caFile", "tlsIdentity"), unavailable ("tls", "connect", "resolve", "timeout",
/// "reset"), protocol ("bodyTooLarge", "notHttp"), interrupted.
class ACMETOOL_EXPORT TlsClient final : public Transport
{
public:
    TlsClient(TlsClientOptions options, base::Context& context);
    ~TlsClient() override;
    TlsClient(const TlsClient&) = delete;
    TlsClient& operator=(const TlsClient&) = delete;

    Result<Connection> connect(std::string_view url) override;
    Result<Response> send(const Request& request) override;
    void close();

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace acmetool::http
