#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "acme/client.h"
#include "base/json.h"
#include "base/result.h"
#include "ra/issuer.h"
#include "ra/options.h"

namespace acmetool::ra
{

/// How the account is opened that the options name; nobody is asked for its passphrase.
acme::ClientOptions client_options_of(const Options& options);

/// What a pending order waits for.
struct OrderedProof {
    std::vector<crypto::Identifier> identifiers; ///< the order's; what the CA names is compared with them
    std::vector<std::string> authorizations;     ///< URLs
};

/// Keeps the domains' pre-authorizations alive, and fulfils what orders still ask for, off everybody's path:
/// each domain has a thread of its own, with its own connection and solver, so that one whose DNS does not
/// work holds up nobody else.
///
/// Without a solver nothing is fulfilled: orders go ahead on what acme-preauth obtained, and one that comes
/// back pending ends with authorization_needed.
class PreauthKeeper
{
public:
    using Done = std::function<void(Result<void>)>; ///< called once, from any thread

    /// Errors: config (account, solver, an authorization file).
    static Result<std::unique_ptr<PreauthKeeper>> make(const Options& options);
    ~PreauthKeeper(); ///< what is under way is interrupted and cleaned up; what waits is told so

    /// Begins. `host` is told events and messages, and outlives this.
    void start(IssuerHost& host);
    /// `done` once orders below `domain` are worth a try: at once, or after the pre-authorization that is
    /// being obtained. An error where that failed. `request_id`, here and below, is whose the messages are
    /// that it takes.
    void when_ready(const std::string& domain, std::string request_id, Done done);
    /// Makes an order's authorizations valid, and looks after the domain's pre-authorization, which must have
    /// lapsed (PRE-18).
    void fulfil(const std::string& domain, OrderedProof proof, std::string request_id, Done done);
    /// By domain: status, expires, the last error.
    base::Json status();

private:
    class Keeper;
    PreauthKeeper() = default;
    std::map<std::string, std::unique_ptr<Keeper>> keepers_;
};

} // namespace acmetool::ra
