#include "est-enroll/renewal.h"

#include <cstdio>
#include <filesystem>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "acme/certificate_renewal.h"
#include "acme/solver_options.h"
#include "base/process.h"
#include "base/text.h"
#include "cli/options.h"
#include "est/journal.h"
#include "est/run.h"
#include "store/atomic_file.h"
#include "store/configured.h"

namespace acmetool::cli
{
namespace
{

Result<void> write_metrics(const crypto::Certificate& certificate, const EstRenewOptions& options, Io& io)
{
    if (options.metrics_file.empty()) return {};
    acme::CertificateRenewal renewal;
    renewal.file = options.cert;
    renewal.not_after = certificate.not_after();
    renewal.last_success = io.context().now();
    return store::write_output(options.metrics_file, acme::metrics_of({renewal}), 0644, io.context());
}

/// A failed run records the failure and keeps the known data of the current certificate. The file is the only
/// record of the last successful run.
Result<void> write_failure(const Error& error, const EstRenewOptions& options, Io& io)
{
    if (options.metrics_file.empty() || options.cert.empty()) return {};
    acme::CertificateRenewal renewal;
    renewal.file = options.cert;
    renewal.error = error;
    if (const auto current = store::read_configured_certificates(options.cert, "--cert"))
        renewal.not_after = current->front().not_after();
    std::error_code none;
    if (std::filesystem::is_regular_file(options.metrics_file, none))
        if (const auto old = store::read_file(options.metrics_file))
            renewal.last_success = acme::last_success_in(*old, options.cert);
    return store::write_output(options.metrics_file, acme::metrics_of({renewal}), 0644, io.context());
}

Result<void> deploy(const EstRenewOptions& options, Io& io)
{
    if (options.deploy_hook.empty()) return {};
    const auto ended =
        base::run_program({.arguments = {options.deploy_hook},
                           .environment = {"ACMETOOL_CERT=" + options.cert, "ACMETOOL_KEY=" + options.key},
                           .timeout = options.hook_timeout,
                           .inherit = options.hook_env,
                           .completes = true,
                           .name = "deploy hook " + options.deploy_hook},
                          io.context());
    if (ended && ended->status == 0) return {};
    return fail(Errc::config,
                ended ? fmt::format("--deploy-hook {}: exit status {}", options.deploy_hook, ended->status)
                      : "--deploy-hook: " + ended.error().message,
                "the certificate was renewed and written; the service that uses it was not notified",
                Cause::deploy_hook_failed);
}

/// One certificate renewed from cron.
struct Renewal {
    crypto::Certificate current;
    std::string journal_file;
    std::string new_key_file; ///< empty: the key is kept
    bool replaces_key = false;
    base::TimePoint due_at;
};

Result<Renewal> plan_renewal(const EstRenewOptions& options)
{
    ACMETOOL_CHECK(acme::check_hook_env(options.hook_env));
    if (options.cert.empty() || options.key.empty())
        return fail(Errc::usage, "renew requires --cert and --key",
                    "give the certificate to renew and its private key", "noCert");
    if (!options.key_out.empty() && options.new_key.empty())
        return fail(Errc::usage, "--key-out requires --new-key TYPE", {}, "noKey");
    ACMETOOL_TRY(certificates, store::read_configured_certificates(options.cert, "--cert"));
    const auto& current = certificates.front();
    const bool rekeys = !options.new_key.empty();
    if (rekeys) ACMETOOL_CHECK(check_new_key(options.new_key));
    return Renewal{.current = current,
                   .journal_file = options.journal.empty() ? options.key + ".journal" : options.journal,
                   .new_key_file = !rekeys                   ? std::string{}
                                   : options.key_out.empty() ? options.key + ".new"
                                                             : options.key_out,
                   .replaces_key = rekeys && options.key_out.empty(),
                   .due_at = options.before.due(current.not_before(), current.not_after())};
}

/// Writes certificate and key to their files: the old key is kept until the certificate is written.
Result<void> install(const Renewal& renewal, const std::vector<crypto::Certificate>& chain,
                     const EstRenewOptions& options, Io& io)
{
    ACMETOOL_CHECK(write_certificate(chain, options, io, {{"changed", true}}));
    if (renewal.replaces_key && std::rename(renewal.new_key_file.c_str(), options.key.c_str()) != 0 &&
        errno != ENOENT)
        return fail(Errc::cannot_create,
                    fmt::format("{}: cannot be replaced with {}", options.key, renewal.new_key_file),
                    "make the folder writable and run the same command again");
    est::remove_journal(renewal.journal_file);
    io.context().log(base::Level::info, renewed(options.cert, chain.front().not_after()));
    ACMETOOL_CHECK(write_metrics(chain.front(), options, io));
    return deploy(options, io);
}

/// The certificate of a run that was killed between the server's answer and the last file, if its key still
/// exists and it has not expired.
Result<std::vector<crypto::Certificate>> unfinished(const Renewal& renewal, const EstRenewOptions& options,
                                                    base::TimePoint now)
{
    ACMETOOL_TRY(journal, est::read_journal(renewal.journal_file));
    if (!journal || journal->certificate.empty()) return std::vector<crypto::Certificate>{};
    auto chain = crypto::parse_certificates(journal->certificate, renewal.journal_file);
    if (chain && chain->front().not_after() <= now) return std::vector<crypto::Certificate>{};
    ACMETOOL_TRY(passphrase, read_secret(options.key_passphrase_file, "--key-passphrase-file"));
    for (const auto& file : {renewal.new_key_file, options.key}) {
        auto text = file.empty() ? fail(Errc::io, {}) : store::read_file(file);
        if (!chain || !text) continue;
        const base::Secret pem{std::move(*text)};
        const auto key = crypto::parse_private_key(pem.reveal(), file, passphrase);
        if (key && chain->front().public_key().same_public_key(*key)) return chain;
    }
    return std::vector<crypto::Certificate>{};
}

Result<void> nothing_due(const Renewal& renewal, const EstRenewOptions& options, Io& io)
{
    ACMETOOL_CHECK(write_metrics(renewal.current, options, io));
    if (options.detailed_exitcode) io.exit_with(2);
    io.context().log(base::Level::detail, not_due(options.cert, renewal.due_at));
    if (!io.json()) return {};
    // --output is left unchanged: it may be the certificate.
    return io.print_document("renewal", {{"changed", false},
                                         {"notAfter", base::to_rfc3339(renewal.current.not_after())},
                                         {"renewAt", base::to_rfc3339(renewal.due_at)}});
}

est::RunOptions wishes_of(const Renewal& renewal, const EstRenewOptions& options, const EstSession& session)
{
    est::RunOptions wishes;
    wishes.key = {options.new_key, renewal.new_key_file, std::nullopt};
    if (renewal.new_key_file.empty()) wishes.key.existing = session.identity()->key;
    wishes.bind = options.pop;
    wishes.renewed = renewal.current;
    wishes.explicit_anchors = session.trust().explicit_anchors;
    wishes.journal_file = renewal.journal_file;
    return wishes;
}

/// All that a renewal needs, but for its request: files, server, trust, CA certificates, attributes, CSR.
/// With
/// --save-cacerts, that the next run accepts the server as well, whose CA certificates are not written.
Result<void> prove(const Renewal& renewal, const EstRenewOptions& options, Io& io)
{
    ACMETOOL_TRY(session, EstSession::open(options, io));
    auto wishes = wishes_of(renewal, options, *session);
    if (!options.save_cacerts.empty())
        wishes.take_cas = [&](const est::CaCertificates& cas) -> Result<void> {
            auto accepted = check_return(cas, session->client());
            if (accepted) return {};
            return fail(with_context(std::move(accepted).error(), "with what --save-cacerts would write"));
        };
    return est::rehearse(session->client(), wishes, io.context());
}

/// systemd's ExecCondition: 0 due, 1 nothing to do, 255 error.
Result<void> check(const Result<Renewal>& renewal, bool due, const EstRenewOptions& options, Io& io)
{
    auto proven = !renewal                     ? Result<void>{fail(renewal.error())}
                  : options.server.url.empty() ? Result<void>{}
                                               : prove(*renewal, options, io);
    if (!proven && proven.error().code == Errc::interrupted) return proven;
    io.exit_with(!proven ? 255 : due ? 0 : 1);
    if (proven) return {};
    const auto& error = proven.error();
    io.context().log(base::Level::error,
                     error.hint.empty() ? error.message : fmt::format("{} ({})", error.message, error.hint));
    if (due) return write_failure(error, options, io); // the run that would write it does not begin
    return {};
}

Result<void> renew_due(const Renewal& renewal, const EstRenewOptions& options, Io& io)
{
    ACMETOOL_CHECK(wait_for_turn(options.jitter, io));
    ACMETOOL_TRY(session, EstSession::open(options, io));
    auto wishes = wishes_of(renewal, options, *session);
    wishes.take_cas = cas_keeper(options, *session, io);
    ACMETOOL_TRY(outcome, est::run(session->client(), wishes, options.server, io.context()));
    if (outcome.enrolment.pending) {
        defer(outcome.enrolment, io);
        return {};
    }
    return install(renewal, outcome.chain, options, io);
}

Result<void> attempt(const EstRenewOptions& options, Io& io)
{
    auto renewal = plan_renewal(options);
    bool due = renewal && io.context().now() >= renewal->due_at;
    if (options.check) return check(renewal, due, options, io);
    if (!renewal) return fail(renewal.error());
    if (!due && !est::has_journal(renewal->journal_file)) return nothing_due(*renewal, options, io);
    const auto lock = est::lock_journal(renewal->journal_file, io.context());
    if (!lock) return fail(lock.error());
    // Another run may have renewed it in the meantime.
    renewal = plan_renewal(options);
    if (!renewal) return fail(renewal.error());
    due = io.context().now() >= renewal->due_at;
    ACMETOOL_TRY(left_over, unfinished(*renewal, options, io.context().now()));
    if (!left_over.empty()) return install(*renewal, left_over, options, io);
    return due ? renew_due(*renewal, options, io) : nothing_due(*renewal, options, io);
}

Result<void> renew(const EstRenewOptions& options, Io& io)
{
    auto done = attempt(options, io);
    if (done || done.error().code == Errc::interrupted) return done;
    if (const auto told = write_failure(done.error(), options, io); !told)
        io.context().log(base::Level::error, told.error().message);
    return done;
}

} // namespace

Verb& add_renew(Program& program, EstRenewOptions& options)
{
    auto& verb = program.verb("renew", "renew the certificate of --cert if it expires soon; for cron");
    add_est_server(verb, options);
    add_run(verb, options);
    verb.option("--before DURATION", options.before,
                "Renew this long before expiry: a duration or a share of the lifetime")
        .flag("--check", options.check,
              "Only report by exit status: 0 due, 1 nothing to do, 255 error; with --server: try all but the "
              "request")
        .flag("--detailed-exitcode", options.detailed_exitcode, "Exit with 2 if nothing was due")
        .option("--jitter DURATION", options.jitter, "Wait up to this long, at random, before a request")
        .option("--deploy-hook PROGRAM", options.deploy_hook,
                "Program to run after a new certificate is written")
        .option("--hook-env NAME", options.hook_env, "Environment variable that the hook gets (repeatable)")
        .option("--hook-timeout DURATION", options.hook_timeout, "Kill a hook that runs longer than this")
        .option("--metrics-file FILE", options.metrics_file, "Write metrics for node_exporter to this file")
        .example("est-enroll renew -q --server https://ra.domain.com:8443 --explicit-ta ra-ca.pem \\\n"
                 "    --cert dev.pem --key dev.key -o dev.pem")
        .action([&options](Io& io) {
            options.wait = true;
            return renew(options, io);
        });
    return verb;
}

} // namespace acmetool::cli
