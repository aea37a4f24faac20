#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "acme/client.h"
#include "acme/preauth.h"
#include "base/json.h"
#include "base/result.h"
#include "base/worker.h"
#include "base/worker_pool.h"
#include "ra/domain_prover.h"
#include "ra/issuer.h"
#include "ra/options.h"
#include "ra/stoppable_context.h"

namespace acmetool::ra
{

/// How to open the account that the options name; its passphrase is not asked for.
acme::ClientOptions client_options_of(const Options& options);

/// Keeps the domains' pre-authorizations alive, and fulfils what orders still ask for, off everybody's path.
/// One worker has the state of all domains and their timers; what blocks runs on a pool, one call at a time
/// for each domain, so that a domain whose DNS does not work holds up no other.
///
/// Without a solver nothing is fulfilled: orders continue with what acme-preauth obtained, and one that comes
/// back pending ends with authorization_needed.
class PreauthKeeper
{
public:
    using Done = std::function<void(Result<void>)>; ///< called once, from any thread

    struct Domain {
        DomainOptions options;
        std::unique_ptr<DomainProver> prover;        ///< null: no solver
        std::optional<acme::PreAuthorization> known; ///< from an earlier run
    };
    struct Pace {
        base::Milliseconds first_retry{std::chrono::seconds{30}}; ///< doubled with each failure
        base::Milliseconds longest_retry{std::chrono::seconds{600}};
        base::Milliseconds soonest{
            std::chrono::seconds{30}}; ///< between two, however short the CA's lifetimes
        base::Milliseconds longest_sleep{std::chrono::hours{1}};
    };

    /// As the options say. Errors: config (account, solver, an authorization file).
    static Result<std::unique_ptr<PreauthKeeper>> make(const Options& options);
    explicit PreauthKeeper(std::vector<Domain> domains);
    PreauthKeeper(std::vector<Domain> domains, const Pace& pace, std::function<base::TimePoint()> now);
    /// What is under way is interrupted and cleaned up; what waits ends with "interrupted".
    ~PreauthKeeper();
    PreauthKeeper(const PreauthKeeper&) = delete;
    PreauthKeeper& operator=(const PreauthKeeper&) = delete;

    /// Begins. `host` receives events and messages, and outlives this.
    void start(IssuerHost& host);
    /// `done` once orders below `domain` are worth a try: at once, or after the pre-authorization that is
    /// being obtained. An error if that failed. `request_id`, here and below, is added to the messages that
    /// it takes.
    void when_ready(const std::string& domain, std::string request_id, Done done);
    /// Makes an order's authorizations valid, and looks after the domain's pre-authorization, which must have
    /// lapsed (PRE-18).
    void fulfil(const std::string& domain, OrderedProof proof, std::string request_id, Done done);
    /// By domain: status, expires, the last error.
    base::Json status();

private:
    class Keeper;
    Keeper* find(const std::string& domain);

    const Pace pace_;
    const std::function<base::TimePoint()> now_;
    IssuerHost* host_ = nullptr;
    StopSignal stopping_;
    std::map<std::string, std::unique_ptr<Keeper>> keepers_;
    base::WorkerPool solvers_;
    base::Worker worker_; ///< the destructor ends the pool first, then this
};

} // namespace acmetool::ra
