#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "acme/solver.h"
#include "acme/solver_options.h"
#include "dns/propagation.h"
#include "dns/tsig.h"
#include "net/endpoint.h"

/// The ways to solve challenges; make_solver() selects one.
namespace acmetool::acme
{

/// Checks that a published dns-01 record is visible on all servers, unless the operator disabled this.
class DnsCheck
{
public:
    static Result<DnsCheck> make(const SolverOptions& options);

    /// The required name of the record.
    Result<dns::Target> find_target(const ChallengeTask& task, base::Context& context) const;
    Result<void> wait(const dns::Target& target, const ChallengeTask& task, base::Context& context) const;
    /// For solvers that do not know the final name of the record: finds the name, then waits.
    Result<void> wait(const ChallengeTask& task, base::Context& context) const;

    /// The TXT records at `name` from one server: a given one, or the resolver.
    Result<std::vector<std::string>> texts(const std::string& name, base::Context& context) const;
    bool enabled() const { return enabled_; }

private:
    bool enabled_ = true;
    std::vector<std::string> allowed_zones_;
    dns::PropagationOptions options_;
};

/// dns-01 by RFC 2136 with TSIG.
class DnsUpdateSolver final : public Solver
{
public:
    static Result<std::unique_ptr<Solver>> make(const SolverOptions& options);
    bool supports(std::string_view challenge_type) const override
    {
        return account_names_ ? challenge_type == "dns-account-01" : is_digest_record(challenge_type);
    }
    Result<void> publish(const ChallengeTask& task, base::Context& context) override;
    Result<void> cleanup(const ChallengeTask& task, bool succeeded, base::Context& context) override;

private:
    Result<dns::Target> change(const ChallengeTask& task, bool add, base::Context& context) const;

    net::Endpoint server_;
    std::optional<dns::TsigKey> key_;
    bool account_names_ = false; ///< dns-account-01 only
    DnsCheck check_;
};

/// A program of the operator, called with the convention of uacme, certbot, dehydrated or lego;
/// acmetool-hooks(7).
class HookSolver final : public Solver
{
public:
    static Result<std::unique_ptr<Solver>> make(const SolverOptions& options);
    bool supports(std::string_view challenge_type) const override;
    Result<void> publish(const ChallengeTask& task, base::Context& context) override;
    Result<void> cleanup(const ChallengeTask& task, bool succeeded, base::Context& context) override;

private:
    enum class Style { uacme, certbot, dehydrated, lego };

    /// Such hooks get the domain and put _acme-challenge in front of it themselves.
    bool names_record_itself() const { return style_ == Style::certbot || style_ == Style::dehydrated; }
    Result<void> call(const std::string& program, const std::string& word, const ChallengeTask& task,
                      base::Context& context, bool finish) const;
    std::vector<std::string> words_for(const std::string& word, const ChallengeTask& task,
                                       const std::string& value) const;

    std::string program_;
    std::string cleanup_program_; ///< certbot style; may be empty
    Style style_ = Style::uacme;
    std::vector<std::string> inherit_; ///< names of environment variables
    bool account_names_ = false;       ///< dns-account-01 only
    base::Milliseconds timeout_{};
    DnsCheck check_;
};

/// http-01 by a file in a folder that a web server publishes (RFC 8555 section 8.3).
class WebrootSolver final : public Solver
{
public:
    explicit WebrootSolver(std::string folder) : folder_(std::move(folder)) {}
    bool supports(std::string_view challenge_type) const override { return challenge_type == "http-01"; }
    Result<void> publish(const ChallengeTask& task, base::Context& context) override;
    Result<void> cleanup(const ChallengeTask& task, bool succeeded, base::Context& context) override;

private:
    Result<std::string> path_of(const ChallengeTask& task) const;
    std::string folder_;
};

/// A person at a terminal.
class ManualSolver final : public Solver
{
public:
    ManualSolver(DnsCheck check, bool account_names) : check_(std::move(check)), account_names_(account_names)
    {
    }
    bool supports(std::string_view challenge_type) const override;
    Result<void> publish(const ChallengeTask& task, base::Context& context) override;
    Result<void> cleanup(const ChallengeTask& task, bool succeeded, base::Context& context) override;

private:
    DnsCheck check_;
    bool account_names_; ///< dns-account-01 only
};

/// dns-persist-01: the record was published in advance, so this solver writes nothing.
class PersistentSolver final : public Solver
{
public:
    explicit PersistentSolver(DnsCheck check) : check_(std::move(check)) {}
    bool supports(std::string_view challenge_type) const override
    {
        return challenge_type == "dns-persist-01";
    }
    /// Checks that the record exists. Errors: authorization_needed ("noPersistentRecord").
    Result<void> publish(const ChallengeTask& task, base::Context& context) override;
    Result<void> cleanup(const ChallengeTask&, bool, base::Context&) override { return {}; }

private:
    DnsCheck check_;
};

} // namespace acmetool::acme
