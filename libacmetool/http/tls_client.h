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

/// HTTPS where the connection itself matters: whose it is, what it is bound to, and whether it is still the
/// same one.
namespace acmetool::http
{

/// One TLS connection to a server that was authorized (or, provisionally, was not).
struct Connection {
    std::uint64_t id = 0;      ///< another one for each connection of this process's transport
    std::string tls_version;   ///< "TLSv1.3"
    unsigned requests = 0;     ///< sent on it so far
    bool provisional = false;  ///< the server was not authorized
    bool client_asked = false; ///< the server wanted a client certificate
    std::vector<crypto::Certificate> server_certificates; ///< as it sent them, its own first
    Result<crypto::ChannelBinding> binding = fail(Errc::internal, "not connected");
};

/// What sends requests; tests play the peer behind it. One thread at a time.
class ACMETOOL_EXPORT Transport
{
public:
    virtual ~Transport() = default;

    /// The live connection to the origin of `url`, opened if there is none (any more).
    virtual Result<Connection> connect(std::string_view url) = 0;
    /// Sends on that connection and no other: where it is gone, fails with reason "reset".
    virtual Result<Response> send(const Request& request) = 0;
};

struct TlsIdentity {
    std::vector<crypto::Certificate> certificates; ///< end entity first
    crypto::Key key;
};

/// Reads certificate and key files, which have to belong together. The key may be encrypted. Errc::config.
ACMETOOL_EXPORT Result<TlsIdentity> load_identity(const std::string& certificate_file,
                                                  const std::string& key_file,
                                                  const std::string& passphrase_file);

/// Who a server has to be (RFC 7030 section 3.6).
struct ServerTrust {
    /// Where its path ends here, the URL's name or id-kp-cmcRA in its certificate will do (section 3.6.1).
    std::vector<crypto::Certificate> explicit_anchors;
    /// An explicit anchor may be the server's own certificate, whatever names that has: whoever said so
    /// pinned the server itself.
    bool pinned_server = false;
    /// Known besides them, to build paths with; not believed by themselves.
    std::vector<crypto::Certificate> explicit_others;
    /// Where its path ends here, the URL's name has to be in its certificate (section 3.6.2).
    std::optional<crypto::TrustAnchors> implicit_anchors;
    /// Anybody: for a bootstrap whose answers are verified by other means (section 4.1.1, RFC 8995 section
    /// 5.1). No identity is shown to such a server unless `identity` is set, too.
    bool provisional = false;
};

struct TlsClientOptions {
    ServerTrust trust;
    std::optional<TlsIdentity> identity;
    bool tls12_only = false; ///< for servers that want tls-unique
    std::chrono::milliseconds connect_timeout{10'000};
    std::chrono::milliseconds request_timeout{60'000};
    std::size_t body_limit = 1U << 20U;
    std::string user_agent; ///< default "acme-integrations/<version>"
};

/// An HTTPS client with one connection at a time, kept as long as server and origin allow (OpenSSL).
///
/// TLS 1.2 or later (RFC 8996), no session resumption and no renegotiation, so that a channel binding is
/// this connection's (RFC 5929 section 3.1). The server is authorized inside the handshake: nothing is sent
/// to one that is not. Redirects and HTTP authentication are the caller's.
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
