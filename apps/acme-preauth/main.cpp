// acme-preauth: proves a domain once, subdomains included (RFC 8555 section 7.4.1, RFC 9444).

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "acme-preauth/caa_record.h"
#include "acme-preauth/dns_policy.h"
#include "acme-preauth/kept.h"
#include "acme-preauth/persist_record.h"
#include "acme/preauth.h"
#include "acme/preauth_renewal.h"
#include "base/text.h"
#include "cli/failure.h"
#include "cli/options.h"
#include "cli/program.h"
#include "common/acme_options.h"
#include "dns/name.h"
#include "store/atomic_file.h"

using namespace acmetool;

namespace
{

struct Options {
    acme::ClientOptions client;
    acme::SolverOptions solver;
    std::vector<std::string> domains;
    bool subdomains = false;
    bool require_subdomains = false;
    // renew
    base::Margin before;
    bool check = false;
    bool detailed_exitcode = false;
    base::Milliseconds jitter{0};
    std::string metrics_file;
    bool all = false; ///< of status
};

Result<std::unique_ptr<acme::Solver>> needed_solver(const acme::SolverOptions& options, cli::Io& io)
{
    ACMETOOL_TRY(solver, cli::make_solver(options, io));
    if (!solver)
        return fail(Errc::usage, "no solver given",
                    "give one of --dns-update, --hook, --webroot, --standalone, --dns-persist, --manual",
                    "noSolver");
    return std::move(solver);
}

/// The same for verbs that end before the CA validates: --standalone would have stopped serving by then.
Result<std::unique_ptr<acme::Solver>> lasting_solver(const acme::SolverOptions& options, cli::Io& io)
{
    if (!options.standalone.empty())
        return fail(
            Errc::usage,
            "--standalone serves only while the program runs, but a single step ends before validation",
            "use acme-preauth run, which does all steps", "standaloneStep");
    return needed_solver(options, io);
}

/// A CA that authorizes the name but not its subdomains is a separate outcome.
Result<void> check_subdomains(const acme::PreAuthorization& preauth, const Options& options, cli::Io& io)
{
    if (!preauth.lacks_subdomains()) return {};
    const auto message =
        fmt::format("{}: authorized for the exact name only; the CA does not cover its subdomains",
                    preauth.authorization.identifier);
    if (options.require_subdomains)
        return fail(Errc::refused, message,
                    "order each subdomain with a solver, or use a CA that supports RFC 9444",
                    "subdomainsNotCovered");
    io.context().log(base::Level::warning, message);
    return {};
}

Result<void> write(const acme::PreAuthorization& preauth, cli::Io& io)
{
    return io.write_document("authorization", acme::to_json(preauth));
}

void defer(const acme::PreAuthorization& preauth, cli::Io& io)
{
    io.defer({.what = fmt::format("authorization for {} is still {}", preauth.authorization.identifier,
                                  preauth.authorization.status),
              .retry_after = {},
              .url = preauth.authorization.url,
              .csr_sha256 = {}});
}

Result<void> begin(const Options& options, cli::Io& io)
{
    ACMETOOL_TRY(names, dns::normalize_names(options.domains));
    if (names.size() != 1)
        return fail(Errc::usage, "acme-preauth new accepts only one domain",
                    "use acme-preauth run for several domains");
    ACMETOOL_TRY(solver, cli::make_solver(options.solver, io));
    ACMETOOL_TRY(client, cli::open_client(options.client, io));
    ACMETOOL_TRY(preauth, acme::new_authorization(*client, names.front(), options.subdomains, solver.get()));
    ACMETOOL_CHECK(check_subdomains(preauth, options, io));
    return write(preauth, io);
}

Result<acme::PreAuthorization> read_document(cli::Io& io)
{
    ACMETOOL_TRY(text, io.input());
    return acme::parse_preauth(text);
}

/// publish and cleanup need neither account nor CA, so that they can run on the host with the DNS credential.
Result<void> publish(const Options& options, cli::Io& io)
{
    ACMETOOL_TRY(solver, lasting_solver(options.solver, io));
    ACMETOOL_TRY(preauth, read_document(io));
    if (preauth.task) {
        ACMETOOL_CHECK(acme::check_solver(*solver, *preauth.task));
        if (auto done = solver->publish(*preauth.task, io.context()); !done)
            return fail(with_context(std::move(done).error(), "publish: " + preauth.task->identifier));
    }
    return write(preauth, io);
}

Result<void> clean_up(const Options& options, cli::Io& io)
{
    ACMETOOL_TRY(solver, lasting_solver(options.solver, io));
    ACMETOOL_TRY(preauth, read_document(io));
    if (preauth.task) {
        ACMETOOL_CHECK(acme::check_solver(*solver, *preauth.task));
        if (auto done = solver->cleanup(*preauth.task, preauth.authorization.status == "valid", io.context());
            !done)
            return fail(with_context(std::move(done).error(), "cleanup: " + preauth.task->identifier));
    }
    if (preauth.authorization.status == "valid") preauth.task.reset();
    return write(preauth, io);
}

Result<acme::PreAuthorization> read_own_document(const acme::Client& client, cli::Io& io)
{
    ACMETOOL_TRY(preauth, read_document(io));
    if (!client.directory().owns(preauth.authorization.url))
        return fail(
            Errc::bad_input,
            fmt::format("authorization document: {} is not a URL of {}",
                        base::printable(preauth.authorization.url), client.directory().url),
            "the document and the account belong to different CAs: use the account that created the document",
            "foreignUrl");
    return preauth;
}

Result<void> respond(const Options& options, cli::Io& io)
{
    ACMETOOL_TRY(client, cli::open_client(options.client, io));
    ACMETOOL_TRY(preauth, read_own_document(*client, io));
    ACMETOOL_CHECK(acme::respond(*client, preauth));
    if (preauth.authorization.status != "valid") {
        defer(preauth, io);
        return {};
    }
    return write(preauth, io);
}

Result<void> run(const Options& options, cli::Io& io)
{
    ACMETOOL_TRY(names, dns::normalize_names(options.domains));
    ACMETOOL_TRY(solver, needed_solver(options.solver, io));
    ACMETOOL_TRY(client, cli::open_client(options.client, io));
    base::Json documents = base::Json::array();
    for (const auto& name : names) {
        ACMETOOL_TRY(preauth, acme::preauthorize(*client, name, options.subdomains, *solver));
        if (preauth.authorization.status != "valid") {
            defer(preauth, io);
            return {};
        }
        ACMETOOL_CHECK(check_subdomains(preauth, options, io));
        if (names.size() == 1) return write(preauth, io);
        documents.push_back(acme::to_json(preauth));
    }
    return io.write_document("authorizations", {{"authorizations", std::move(documents)}});
}

Result<void> list(const Options& options, cli::Io& io)
{
    ACMETOOL_TRY(kept, cli::kept_authorizations(options.client, options.before, io));
    return cli::show_list(kept, io);
}

Result<void> kept_status(const Options& options, cli::Io& io)
{
    ACMETOOL_TRY(names, dns::normalize_names(options.domains));
    ACMETOOL_TRY(kept, cli::kept_authorizations(options.client, options.before, io));
    ACMETOOL_TRY(entries, cli::selected(std::move(kept.entries), names));
    return cli::show_status({std::move(kept.accounts), std::move(entries)}, io);
}

Result<void> status(const Options& options, cli::Io& io)
{
    if (options.all || !options.domains.empty()) return kept_status(options, io);
    ACMETOOL_TRY(client, cli::open_client(options.client, io));
    ACMETOOL_TRY(preauth, read_own_document(*client, io));
    ACMETOOL_TRY(seen, acme::read_again(*client, preauth));
    preauth.authorization = std::move(seen);
    if (preauth.authorization.status != "pending") preauth.task.reset();
    return write(preauth, io);
}

Result<void> deactivate(const Options& options, cli::Io& io)
{
    ACMETOOL_TRY(client, cli::open_client(options.client, io));
    ACMETOOL_TRY(preauth, read_own_document(*client, io));
    ACMETOOL_TRY(seen, acme::deactivate_authorization(*client, preauth.authorization));
    preauth.authorization = std::move(seen);
    preauth.task.reset();
    return write(preauth, io);
}

/// --check, for systemd's ExecCondition: 0 due, 1 nothing to do, 255 error.
Result<void> check(const Options& options, const std::vector<std::string>& names, cli::Io& io)
{
    const auto account = acme::load_account(options.client.account_file);
    auto state = acme::StateDirectory::open(options.client.state_directory, options.client.account_file);
    if (!account || !state) {
        io.context().log(base::Level::error, account ? state.error().message : account.error().message);
        io.exit_with(255);
        return {};
    }
    bool due = false;
    bool failed = false;
    for (const auto& renewal : acme::check_renewals(*state, account->directory, names, options.subdomains,
                                                    options.before, io.context().now())) {
        due |= renewal.due;
        failed |= renewal.error.has_value();
        if (renewal.error) io.context().log(base::Level::error, renewal.error->message);
    }
    io.exit_with(due ? 0 : failed ? 255 : 1);
    return {};
}

Result<void> renew(const Options& options, cli::Io& io)
{
    ACMETOOL_TRY(names, dns::normalize_names(options.domains));
    if (options.check) return check(options, names, io);
    ACMETOOL_TRY(solver, needed_solver(options.solver, io));
    ACMETOOL_TRY(account, acme::load_account(options.client.account_file));
    ACMETOOL_TRY(state,
                 acme::StateDirectory::open(options.client.state_directory, options.client.account_file));
    auto renewals = acme::check_renewals(state, account.directory, names, options.subdomains, options.before,
                                         io.context().now());
    bool due = false;
    for (const auto& renewal : renewals)
        due |= renewal.due;
    if (due) {
        ACMETOOL_CHECK(cli::wait_for_turn(options.jitter, io));
        const auto client = cli::open_client(options.client, io);
        if (!client && client.error().code == Errc::interrupted) return fail(client.error());
        if (client) ACMETOOL_CHECK(acme::renew(**client, renewals, options.subdomains, *solver));
        for (auto& renewal : renewals) {
            if (client || !renewal.due) continue;
            renewal.error = client.error();
            acme::keep_failed_authorization(state, account.directory, renewal.domain, client.error(),
                                            io.context());
        }
    }
    if (!options.metrics_file.empty())
        ACMETOOL_CHECK(
            store::write_output(options.metrics_file, acme::metrics_of(renewals), 0644, io.context()));
    bool changed = false;
    const Error* failure = nullptr;
    base::Json list = base::Json::array();
    for (const auto& renewal : renewals) {
        base::Json entry{{"identifier", {{"type", "dns"}, {"value", renewal.domain}}},
                         {"changed", renewal.changed}};
        if (renewal.expires) entry["expires"] = base::to_rfc3339(*renewal.expires);
        if (renewal.error) {
            entry["error"] = renewal.error->message;
            entry["code"] = name_of(*renewal.error);
        }
        list.push_back(std::move(entry));
        changed |= renewal.changed;
        if (renewal.changed)
            io.context().log(base::Level::info, cli::renewed(renewal.domain, renewal.expires));
        else if (!renewal.due && !renewal.error)
            io.context().log(base::Level::detail, cli::not_due(renewal.domain, renewal.renew_at));
        if (!renewal.error) continue;
        if (failure != nullptr)
            io.context().log(base::Level::error, renewal.error->message);
        else
            failure = &*renewal.error;
    }
    if (!due && options.detailed_exitcode) io.exit_with(2);
    auto members = failure != nullptr ? cli::end_with(*failure, io) : base::Json::object();
    if (!io.json() && io.output().empty()) return {};
    members["changed"] = changed;
    members["authorizations"] = std::move(list);
    return io.write_document("renewal", members);
}

} // namespace

int main(int argc, char** argv)
{
    cli::Program program{"acme-preauth", "pre-authorize domains and their subdomains"};
    Options options;
    const auto verb = [&](const char* name, const char* help,
                          Result<void> (*action)(const Options&, cli::Io&)) -> cli::Verb& {
        return program.verb(name, help).action([&options, action](cli::Io& io) {
            return action(options, io);
        });
    };
    const auto add_domains = [&](cli::Verb& to) {
        to.words("DOMAIN", options.domains, "Domain to authorize", true);
        to.flag("--subdomains", options.subdomains, "Also authorize all subdomains (RFC 9444)");
        to.flag("--require-subdomains", options.require_subdomains,
                "Fail if the CA does not cover subdomains");
    };

    auto& begin_verb = verb("new", "request an authorization, write the authorization document", begin);
    cli::add_account(begin_verb, options.client);
    cli::add_solver(begin_verb, options.solver);
    add_domains(begin_verb);
    begin_verb.example("acme-preauth new --account acct.json --subdomains domain.com -o 1.json");

    auto& publish_verb =
        verb("publish", "read the document, publish the challenge, wait until visible", publish);
    cli::add_solver(publish_verb, options.solver);
    publish_verb.without({"ca-file"})
        .example("acme-preauth publish --dns-update ns1.domain.com --tsig-key tsig.key -o 2.json < 1.json");
    auto& respond_verb =
        verb("respond", "read the document, respond to the challenge, wait until valid", respond);
    cli::add_account(respond_verb, options.client);
    respond_verb.example("acme-preauth respond --account acct.json -o 3.json < 2.json");
    auto& cleanup_verb = verb("cleanup", "read the document, remove the published challenge", clean_up);
    cli::add_solver(cleanup_verb, options.solver);
    cleanup_verb.without({"ca-file"})
        .example(
            "acme-preauth cleanup --dns-update ns1.domain.com --tsig-key tsig.key -o authz.json < 3.json");

    auto& run_verb = verb("run", "do all steps: new, publish, respond, cleanup", run);
    cli::add_account(run_verb, options.client);
    cli::add_solver(run_verb, options.solver);
    add_domains(run_verb);
    run_verb.example("acme-preauth run --account acct.json --subdomains --dns-update ns1.domain.com \\\n"
                     "    --tsig-key tsig.key -o authz.json domain.com");

    auto& status_verb = verb("status",
                             "say what is wrong with kept authorizations and what happens next; without a "
                             "domain, read the document and write its authorization's state",
                             status);
    cli::add_account(status_verb, options.client);
    status_verb.words("DOMAIN", options.domains, "Domain of a kept authorization", false)
        .flag("--all", options.all, "All kept authorizations")
        .option("--before DURATION", options.before, "As renew has it: a duration or a share of the lifetime")
        .example("acme-preauth status --account acct.json domain.com");
    auto& list_verb = verb("list", "list kept authorizations and their next renewals", list);
    cli::add_account(list_verb, options.client);
    list_verb
        .option("--before DURATION", options.before, "As renew has it: a duration or a share of the lifetime")
        .without(cli::kNetworkOptions)
        .example("acme-preauth list --account acct.json");
    auto& end_verb = verb("deactivate", "read the document, deactivate the authorization", deactivate);
    cli::add_account(end_verb, options.client);
    end_verb.example("acme-preauth deactivate --account acct.json < authz.json");

    cli::add_persist_record(program, options.client);
    cli::add_caa_record(program, options.client);
    cli::add_dns_policy(program);

    auto& renew_verb = verb("renew", "renew authorizations that expire soon; for cron", renew);
    cli::add_account(renew_verb, options.client);
    cli::add_solver(renew_verb, options.solver);
    add_domains(renew_verb);
    renew_verb
        .option("--before DURATION", options.before,
                "Renew this long before expiry: a duration or a share of the lifetime")
        .flag("--check", options.check, "Only report by exit status: 0 due, 1 nothing to do, 255 error")
        .flag("--detailed-exitcode", options.detailed_exitcode, "Exit with 2 if nothing was due")
        .option("--jitter DURATION", options.jitter, "Wait up to this long, at random, before a request")
        .option("--metrics-file FILE", options.metrics_file, "Write metrics for node_exporter to this file")
        .example("acme-preauth renew -q --account acct.json --subdomains --dns-update ns1.domain.com \\\n"
                 "    --tsig-key tsig.key domain.com");
    return program.main(argc, argv);
}
