#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/context.h"
#include "base/executor.h"
#include "base/result.h"
#include "crypto/cert.h"
#include "crypto/channel_binding.h"
#include "http/client.h"
#include "http/handshake_failure.h"
#include "net/address_range.h"

namespace acmetool::http
{

enum class TlsVersion { tls_1_2, tls_1_3 };

struct ServerOptions {
    std::string address = "127.0.0.1";
    std::uint16_t port = 0;       ///< 0: any free one
    std::string certificate_file; ///< PEM chain; empty: plain HTTP
    std::string key_file;
    std::vector<crypto::Certificate> issuers; ///< sent after those of certificate_file
    TlsVersion min_tls = TlsVersion::tls_1_2;
    TlsVersion max_tls = TlsVersion::tls_1_3;
    bool ask_client_certificate = false; ///< in the first handshake; none is demanded, and any is taken
    unsigned threads = 2;
    std::string thread_name = "http"; ///< shown by ps(1)
    std::size_t body_limit = 64U << 10U;
    std::size_t header_limit = 16U << 10U;
    std::chrono::seconds idle_timeout{30};      ///< for the next request on a kept connection
    std::chrono::seconds handshake_timeout{10}; ///< for the TLS handshake
    std::chrono::seconds request_timeout{10}; ///< from a request's first octet to its last; and for the reply
    unsigned connections = 10'000;            ///< at once; further ones are closed unanswered
    unsigned connections_per_address = 1'000; ///< likewise
    unsigned requests_per_connection = 1'000; ///< then the connection closes
    /// Load balancers: their connections have to begin with a PROXY header (proxy_header.h), which says whose
    /// they are. From anywhere else none is taken.
    std::vector<net::AddressRange> proxies;
    /// Called on a thread of the server the first time that no descriptor is free for a connection, which
    /// then waits; may be empty.
    std::function<void()> out_of_descriptors;
    /// Called on a thread of the server for each TLS handshake that failed, and each of `proxies` that sent
    /// no valid PROXY header, unless the client went away before it sent anything, as probes of load
    /// balancers do. Anybody can cause it; may be empty.
    std::function<void(const HandshakeFailure&)> handshake_failed;
};

/// What the handshake showed of the client.
struct TlsFacts {
    std::vector<crypto::Certificate> certificates; ///< end entity first, not verified; empty: none was sent
    std::string version;                           ///< "TLSv1.2", "TLSv1.3"
    std::optional<crypto::ChannelBinding> channel_binding; ///< as the server sees it
};

struct ServerRequest {
    std::string method;
    std::string target; ///< path and query, as sent
    Headers headers;    ///< names in lower case
    std::string body;
    std::string peer; ///< address of the client, as a PROXY header named it if there was one
    std::uint16_t peer_port = 0;
    std::shared_ptr<const TlsFacts> tls;         ///< null without TLS
    std::weak_ptr<base::Executor> executor = {}; ///< the connection's thread; empty in tests of handlers
};

/// A callback for the result of what `request` leads to. It runs on the thread of the request's connection,
/// so that making the answer does not hold up the caller's thread; nothing runs once the server is destroyed.
template <typename Argument>
std::function<void(Argument)> on_thread_of(const ServerRequest& request,
                                           std::function<void(Argument)> callback)
{
    if (request.executor.expired()) return callback;
    return base::bind(request.executor, std::move(callback));
}

struct ServerResponse {
    int status = 200;
    Headers headers; ///< Content-Length is added, always; "Connection: close" is done
    std::string body;
    bool drop = false; ///< close the connection without an answer
};

/// Takes the answer to one request: once, at once or later, from any thread, even after the server is gone.
/// A responder that goes without having been called answers 500.
using Responder = std::function<void(ServerResponse)>;

/// What a running server counted.
struct ServerCounts {
    std::uint64_t connections = 0; ///< taken since the start
    std::uint64_t turned_away = 0; ///< over a limit of connections
    std::uint64_t handshake_failures = 0;
    std::uint64_t proxy_failures = 0; ///< connections of `proxies` without a PROXY header that can be read
    std::uint64_t pauses = 0;         ///< connections had to wait because no descriptor was free
    unsigned open = 0;                ///< connections now
};

/// An HTTP/1.1 server, with TLS 1.2 and 1.3 if it has a certificate (Boost.Beast and Asio).
///
/// The handler is called by several threads at once and must not block them for long. What is no HTTP is
/// answered 400, a request over the limits 413 or 431; neither reaches the handler. An exception of the
/// handler's is answered 500. Bodies may come chunked; replies never do.
class ACMETOOL_EXPORT Server
{
public:
    using Handler = std::function<ServerResponse(const ServerRequest&)>;
    using AsyncHandler = std::function<void(ServerRequest, Responder)>;

    /// Listens; requests are answered from now on. Errors: config (certificate, key), cannot_create (address
    /// in use).
    static Result<std::unique_ptr<Server>> start(const ServerOptions& options, AsyncHandler handler);
    /// For handlers that have their answer when they return.
    static Result<std::unique_ptr<Server>> start(const ServerOptions& options, Handler handler);
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    std::uint16_t port() const;
    ServerCounts counts() const;
    /// Other limits, certificate and key (read anew) for connections to come; address, port and threads stay
    /// as they are. Nothing changes yet: the function that comes back puts them into use, and cannot fail.
    /// It belongs to the server and is not called after its end. Errors: config.
    Result<std::function<void()>> prepare(const ServerOptions& options);
    /// No new connections; requests under way are answered, then their connections close. Returns when all
    /// have, or after `limit`.
    void drain(std::chrono::seconds limit);

private:
    struct Impl;
    explicit Server(std::shared_ptr<Impl> impl);
    std::shared_ptr<Impl> impl_;
};

} // namespace acmetool::http
