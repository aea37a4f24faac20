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

/// Reads and parses the file, and looks at the files that it names: what exists has to be a regular file. May
/// block without limit where one of them is on a mount that hangs. Errors: config.
ACMETOOL_EXPORT Result<Config> load_config(const std::string& file, Kind kind = Kind::est);

/// The EST side of a configuration, its certificate and key read if errors are to be signed. Errors: config.
Result<est::ServerOptions> est_options(const Config& config);

/// What a reload did, one sentence each.
struct Reloaded {
    std::vector<std::string> kept;     ///< what only a restart can change, and stays
    std::vector<std::string> changed;  ///< "inventory: 5000 devices -> 12"
    std::vector<std::string> warnings; ///< of the files that are in use now
};

/// The running relay: registration authority, EST listener, administration listener.
class ACMETOOL_EXPORT Daemon
{
public:
    /// Opens the store, continues what an earlier run left, finds the CA's intermediate, listens. `log` is
    /// not owned; `context` can end the wait for another process that holds the store, and for the
    /// intermediate.
    static Result<std::unique_ptr<Daemon>> start(const Config& config, EventLog& log, base::Context& context);
    ~Daemon();
    Daemon(const Daemon&) = delete;
    Daemon& operator=(const Daemon&) = delete;

    std::string est_url() const;    ///< "https://host:port/.well-known/est"; empty: not served
    std::string radius_url() const; ///< "radius://host:port"; empty: not served
    std::string admin_url() const;  ///< "http://host:port"
    /// Where it listens, "0.0.0.0:8443 (EST)".
    std::vector<std::string> addresses() const;

    /// Takes another configuration, and all files that it names anew: all of it, or on an error nothing.
    /// Requests under way and connections that stand end by the old one. What only a restart can change
    /// (addresses, database, number of threads) stays. Errors: config; reason "fileCut" if an inventory or
    /// users file became empty or seems to be cut (SEC-33). `context` can end the search for an intermediate
    /// of the CA (learn_intermediates).
    Result<Reloaded> reload(const Config& config, base::Context& context);
    /// No new connections, answers what is under way; /readyz says no meanwhile.
    void drain();

private:
    struct Impl;
    explicit Daemon(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

} // namespace acmetool::relay
