#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "access/service.h"
#include "base/time.h"
#include "registrar/est_adapter.h"
#include "registrar/gate.h"
#include "registrar/registrar.h"
#include "registrar/teap_adapter.h"
#include "relay/administration.h"
#include "relay/crl_keeper.h"
#include "relay/daemon.h"
#include "relay/handshake_log.h"
#include "relay/metrics.h"
#include "relay/page.h"

/// What the daemon's source files share: daemon.cpp starts, changes and ends it, daemon_status.cpp tells how
/// it is.
namespace acmetool::relay
{

/// The order of the members is that in which they may not go: listeners first of all, the registration
/// authority with the decisions it owes before the EST server that waits for them, and what the
/// administration's threads read after these have ended.
struct Daemon::Impl {
private:
    struct Shown {
        Config config;
        std::vector<OwnCertificate> own; ///< of the configuration
    };
    std::mutex shown_mutex_;
    std::shared_ptr<const Shown> shown_;

public:
    Config config; ///< of the main thread
    EventLog& log;
    base::TimePoint started = base::now();
    std::atomic<bool> draining{false};
    std::shared_ptr<EventKeeper> keeper; ///< also of `log`
    HandshakeLog handshakes{log};
    CrlKeeper crls;
    std::unique_ptr<est::Server> est;
    std::unique_ptr<registrar::Gate>
        gate; ///< this and the next three let everybody pass while there is no manufacturer
    std::unique_ptr<registrar::Registrar> brski;
    std::unique_ptr<registrar::EstAdapter> pledges;
    std::unique_ptr<registrar::TeapAdapter> vouchers;
    std::unique_ptr<access::Service> teap; ///< its sessions wait for the engine's decisions, too
    std::unique_ptr<ra::Engine> engine;
    std::unique_ptr<http::Server> listener;
    std::unique_ptr<Administration> admin;

    Impl(Config settings, EventLog& events);

    /// What the administration's threads see of the configuration.
    void show(const Config& settings);

    // Of those threads.
    http::ServerResponse ready();
    http::ServerResponse metrics(const http::ServerRequest& request);
    base::Json status();
    http::ServerResponse page(const std::string& target);

private:
    void measure_est(Metrics& metrics) const;
    void measure_teap(Metrics& metrics) const;
    void measure_ra(Metrics& metrics);
    void measure_ends(Metrics& metrics, const base::Json& issuer);
    void measure_outputs(Metrics& metrics) const;
    std::vector<std::string> warnings() const;
    std::vector<OwnCertificate> configured_certificates();
    std::vector<OwnCertificate> certificates(); ///< with those of the CA
};

} // namespace acmetool::relay
