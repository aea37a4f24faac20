#include "ra/domain_prover.h"

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "acme/fulfil.h"
#include "dns/name.h"

namespace acmetool::ra
{
namespace
{

class AcmeProver final : public DomainProver
{
public:
    AcmeProver(std::string domain, acme::ClientOptions client, std::unique_ptr<acme::Solver> solver)
        : domain_(std::move(domain)), client_options_(std::move(client)), solver_(std::move(solver))
    {
    }
    Result<acme::PreAuthorization> obtain(base::Context& context) override
    {
        ACMETOOL_TRY(client, acme::Client::open(client_options_, context));
        return acme::preauthorize(*client, domain_, true, *solver_);
    }
    Result<void> fulfil(const OrderedProof& proof, base::Context& context) override;

private:
    const std::string domain_;
    const acme::ClientOptions client_options_;
    const std::unique_ptr<acme::Solver> solver_;
};

Result<void> AcmeProver::fulfil(const OrderedProof& proof, base::Context& context)
{
    ACMETOOL_TRY(client, acme::Client::open(client_options_, context));
    const acme::StateDirectory::Key key{
        "authz", acme::entry_id({client->directory().url, "authorizations of orders", domain_})};
    ACMETOOL_TRY(left_over, client->state().load(key));
    if (left_over) acme::clean_up_after_crash(*left_over, *solver_, context);
    std::vector<acme::Authorization> authorizations;
    const auto scope = acme::scope_of_order(proof.identifiers);
    for (const auto& url : proof.authorizations) {
        ACMETOOL_TRY(authorization, client->fetch_authorization(url, scope, true));
        if (authorization.status == "valid") continue;
        // The order's parents may be above what this relay is for: nothing is published there because a CA
        // asks.
        if (!dns::same_name(authorization.identifier, domain_) &&
            !dns::is_subdomain_of(authorization.identifier, domain_))
            return fail(Errc::protocol,
                        fmt::format("the CA wants proof for {}, which is not in {}", authorization.identifier,
                                    domain_),
                        "authorize the parent with acme-preauth run, or report it to the CA's operator",
                        "otherIdentifier");
        authorizations.push_back(std::move(authorization));
    }
    if (authorizations.empty()) return {};
    const acme::Journal journal = [&](const std::vector<acme::ChallengeTask>& tasks) {
        base::Json entry{{"published", base::Json::array()}};
        for (const auto& task : tasks)
            entry["published"].push_back(acme::to_json(task));
        return client->state().save(key, entry);
    };
    ACMETOOL_TRY(seen, acme::fulfil(*client, std::move(authorizations), *solver_, journal));
    client->state().erase(key);
    for (const auto& authorization : seen)
        if (authorization.status != "valid")
            return fail(Errc::temporary,
                        fmt::format("{}: the CA has not validated it yet", authorization.identifier));
    return {};
}

} // namespace

std::unique_ptr<DomainProver> make_domain_prover(std::string domain, acme::ClientOptions client,
                                                 std::unique_ptr<acme::Solver> solver)
{
    return std::make_unique<AcmeProver>(std::move(domain), std::move(client), std::move(solver));
}

} // namespace acmetool::ra
