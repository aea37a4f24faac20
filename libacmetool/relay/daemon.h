#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "est/server.h"
#include "http/server.h"
#include "ra/engine.h"
#include "relay/config.h"
#include "relay/event_log.h"

namespace acmetool::relay
{

/// Reads and parses the file. Errors: config.
ACMETOOL_EXPORT Result<Config> load_config(const std::string& file, Kind kind = Kind::est);

/// The EST side of a configuration, its certificate and key read if errors are to be signed. Errors: config.
Result<est::ServerOptions> est_options(const Config& config);

/// The running relay: registration authority, EST listener, administration listener.
class ACMETOOL_EXPORT Daemon
{
public:
    /// Opens the store, continues what an earlier run left, listens. `log` is not owned; `context` can end
    /// the wait for another process that holds the store.
    static Result<std::unique_ptr<Daemon>> start(const Config& config, EventLog& log, base::Context& context);
    ~Daemon();
    Daemon(const Daemon&) = delete;
    Daemon& operator=(const Daemon&) = delete;

    std::string est_url() const;    ///< "https://host:port/.well-known/est"; empty: not served
    std::string radius_url() const; ///< "radius://host:port"; empty: not served
    std::string admin_url() const;  ///< "http://host:port"

    /// Takes another configuration, and all files that it names anew: all of it, or on an error nothing.
    /// Requests under way and connections that stand end by the old one. What only a restart can change
    /// (addresses, database, number of threads) stays; a sentence for each such key comes back.
    Result<std::vector<std::string>> reload(const Config& config);
    /// No new connections, answers what is under way; /readyz says no meanwhile.
    void drain();

private:
    struct Impl;
    explicit Daemon(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

} // namespace acmetool::relay
