#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/context.h"
#include "base/result.h"
#include "http/client.h"

namespace acmetool::http
{

struct ServerOptions {
    std::string address = "127.0.0.1";
    std::uint16_t port = 0;       ///< 0: any free one
    std::string certificate_file; ///< PEM chain; empty: plain HTTP
    std::string key_file;
    unsigned threads = 2;
    std::size_t body_limit = 64U << 10U;
    std::size_t header_limit = 16U << 10U;
    std::chrono::seconds idle_timeout{30};      ///< for the next request on a kept connection
    std::chrono::seconds handshake_timeout{10}; ///< for the TLS handshake, and for a whole request
};

struct ServerRequest {
    std::string method;
    std::string target; ///< path and query, as sent
    Headers headers;    ///< names in lower case
    std::string body;
    std::string peer; ///< address of the client
    std::uint16_t peer_port = 0;
};

struct ServerResponse {
    int status = 200;
    Headers headers; ///< Content-Length is added
    std::string body;
    bool drop = false; ///< close the connection without an answer
};

/// An HTTP/1.1 server, with TLS 1.2 and 1.3 if it has a certificate (Boost.Beast and Asio).
///
/// The handler is called by several threads at once. A request over the limits is answered 413 or 431 and
/// never reaches it; an exception of the handler's is answered 500.
class ACMETOOL_EXPORT Server
{
public:
    using Handler = std::function<ServerResponse(const ServerRequest&)>;

    /// Listens; requests are answered from now on. Errors: config (certificate, key), cannot_create (address
    /// in use).
    static Result<std::unique_ptr<Server>> start(const ServerOptions& options, Handler handler);
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    std::uint16_t port() const;
    /// No new connections; requests under way are answered, then their connections close. Returns when all
    /// have, or after `limit`.
    void drain(std::chrono::seconds limit);

private:
    struct Impl;
    explicit Server(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

} // namespace acmetool::http
