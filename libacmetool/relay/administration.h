#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "base/result.h"
#include "base/secret.h"
#include "base/worker_pool.h"
#include "http/server.h"
#include "relay/config.h"

namespace acmetool::relay
{

/// The listeners for whoever operates the relay: one for this host by plain HTTP, and, if [admin] has one,
/// one for other hosts by HTTPS, which asks who they are.
///
/// /healthz is answered on the listener's own thread, which nothing blocks; what asks for the state of the
/// relay and what reads its store have a thread each.
class Administration
{
public:
    /// Each is called by one thread at a time.
    struct Parts {
        std::function<http::ServerResponse()> ready;
        std::function<http::ServerResponse(const http::ServerRequest&)> metrics;
        std::function<http::ServerResponse()> status;
        std::function<http::ServerResponse(const std::string& target)> page;
    };

    /// Errors: config; cannot_create (address in use).
    static Result<std::unique_ptr<Administration>> start(const Config& config, Parts parts);
    ~Administration();
    Administration(const Administration&) = delete;
    Administration& operator=(const Administration&) = delete;

    std::uint16_t port() const;
    std::optional<std::uint16_t> remote_port() const;
    /// Certificates and tokens anew, as http::Server::prepare(). Errors: config.
    Result<std::function<void()>> prepare(const Config& config);

private:
    struct Keys;
    explicit Administration(Parts parts);
    void answer(const http::ServerRequest& request, bool is_remote, const http::Responder& respond);
    void route(const http::ServerRequest& request, bool is_known, const http::Responder& respond);
    std::shared_ptr<const Keys> keys() const;

    const Parts parts_;
    mutable std::mutex mutex_; ///< of keys_
    std::shared_ptr<const Keys> keys_;
    // The listeners are destroyed first: what the threads still answer is then for nobody.
    base::WorkerPool state_{{.name = "admin-state", .threads = 1, .queue = 64}};
    base::WorkerPool reader_{{.name = "admin-page", .threads = 1, .queue = 16}};
    std::unique_ptr<http::Server> local_;
    std::unique_ptr<http::Server> remote_;
};

/// True for a name or an address literal of the loopback interface.
bool is_this_host(const std::string& host);

/// The token in the file of [admin], which may be followed by a newline. Errors: config.
Result<base::Secret> read_admin_token(const std::string& file);

} // namespace acmetool::relay
