#include "est-enroll/kept.h"

#include <algorithm>
#include <filesystem>

#include <fmt/core.h>

#include "acme/certificate_renewal.h"
#include "crypto/key_uri.h"
#include "est/journal.h"
#include "store/atomic_file.h"
#include "store/configured.h"

namespace acmetool::cli
{
namespace
{

constexpr std::string_view kRenew = "est-enroll renew";

KeptEntry unknown_entry(const std::string& name, const Error& error)
{
    return {.kind = "certificate",
            .name = name,
            .state = KeptState::unknown,
            .wrong = error.message,
            .next = error.hint};
}

/// When the certificate was last renewed or found not due: only the metrics know.
std::optional<base::TimePoint> last_success(const EstRenewOptions& options)
{
    std::error_code none;
    if (options.metrics_file.empty() || !std::filesystem::is_regular_file(options.metrics_file, none))
        return std::nullopt;
    const auto metrics = store::read_file(options.metrics_file);
    return metrics ? acme::last_success_in(*metrics, options.cert) : std::nullopt;
}

/// Whether the key belongs to the certificate.
Result<bool> fits(const crypto::Certificate& certificate, const EstRenewOptions& options)
{
    ACMETOOL_TRY(passphrase, read_secret(options.key_passphrase_file, "--key-passphrase-file"));
    ACMETOOL_TRY(key, crypto::is_key_uri(options.key)
                          ? crypto::load_key_uri(options.key, passphrase)
                          : store::read_configured_key(options.key, "--key", passphrase));
    return certificate.public_key().same_public_key(key);
}

void look_at_journal(KeptEntry& entry, const EstRenewOptions& options)
{
    const auto file = options.journal.empty() ? options.key + ".journal" : options.journal;
    if (entry.state == KeptState::expired || entry.state == KeptState::mismatch || !est::has_journal(file))
        return;
    const auto journal = est::read_journal(file);
    if (!journal || !*journal) {
        entry.state = KeptState::unknown;
        entry.wrong = journal ? fmt::format("{}: is gone", file) : journal.error().message;
        entry.next = journal ? std::string{} : journal.error().hint;
        return;
    }
    entry.state = KeptState::unfinished;
    entry.url = (*journal)->url;
    entry.wrong = (*journal)->received.empty() && (*journal)->certificate.empty()
                      ? fmt::format("a run has not finished: its journal is {}", file)
                      : fmt::format("a run got the certificate and has not written it: it is in {}", file);
    entry.next = "the same command, run again, goes on with it";
}

KeptEntry entry_of(const EstRenewOptions& options, base::TimePoint now)
{
    KeptEntry entry{.kind = "certificate", .name = options.cert, .last_success = last_success(options)};
    std::error_code none;
    if (!std::filesystem::exists(options.cert, none)) {
        judge(entry, kRenew, now);
        entry.next = "est-enroll run gets the first one";
        look_at_journal(entry, options);
        return entry;
    }
    const auto certificates = store::read_configured_certificates(options.cert, "--cert");
    if (!certificates) return unknown_entry(options.cert, certificates.error());
    const auto& certificate = certificates->front();
    entry.identifiers = certificate.identifiers();
    entry.serial = certificate.serial();
    entry.expires = certificate.not_after();
    entry.renew_at = std::max(options.before.due(certificate.not_before(), certificate.not_after()),
                              certificate.not_before());
    judge(entry, kRenew, now);
    const auto fitting = fits(certificate, options);
    if (!fitting) {
        entry.state = KeptState::unknown;
        entry.wrong = fitting.error().message;
        entry.next = fitting.error().hint;
        return entry;
    }
    if (!*fitting) {
        entry.state = KeptState::mismatch;
        entry.wrong = fmt::format("the key {} does not fit it", options.key);
        entry.next = "put back the key of the certificate, or enrol again with est-enroll run";
    }
    look_at_journal(entry, options);
    return entry;
}

Result<KeptEntry> configured_entry(const EstRenewOptions& options, base::TimePoint now)
{
    if (options.cert.empty() || options.key.empty())
        return fail(Errc::usage, "no certificate is named",
                    "give --cert and --key, or --config-dir with files that do", "noCert");
    return entry_of(options, now);
}

Result<KeptList> look(Verb& renew, EstRenewOptions& options, Io& io)
{
    const auto now = io.context().now();
    KeptList list;
    if (options.config_dir.empty()) {
        ACMETOOL_TRY(entry, configured_entry(options, now));
        list.entries.push_back(std::move(entry));
        return list;
    }
    ACMETOOL_TRY(files, config_files(options.config_dir));
    list.entries.reserve(files.size());
    const EstRenewOptions common = options;
    for (const auto& file : files) {
        options = common;
        const auto given = renew.read_options(file, {"config-dir"});
        const auto entry = given ? configured_entry(options, now) : fail(given.error());
        list.entries.push_back(entry ? *entry : unknown_entry(file, with_context(entry.error(), file)));
    }
    options = common;
    return list;
}

void add_options(Verb& verb, EstRenewOptions& options)
{
    verb.option("--config-dir DIR", options.config_dir,
                "Certificates of the .toml files in this folder, each as renew has it in --config")
        .option("--cert FILE", options.cert, "Certificate (PEM)")
        .option("--key KEY", options.key, "Private key of --cert (file)")
        .option("--key-passphrase-file FILE", options.key_passphrase_file, "Passphrase of --key")
        .option("--journal FILE", options.journal,
                "State of an interrupted run; default: the key's file with .journal appended")
        .option("--before DURATION", options.before, "As renew has it: a duration or a share of the lifetime")
        .option("--metrics-file FILE", options.metrics_file,
                "File that renew writes, which has the time of the last success")
        .without(kNetworkOptions);
}

} // namespace

void add_kept(Program& program, Verb& renew, EstRenewOptions& options)
{
    auto& listing = program.verb("list", "list certificates that renew keeps alive, and their next renewals");
    add_options(listing, options);
    listing.example("est-enroll list --config-dir /etc/est-enroll.d").action([&](Io& io) -> Result<void> {
        ACMETOOL_TRY(list, look(renew, options, io));
        return show_list(list, io);
    });
    auto& status = program.verb("status", "say what is wrong with certificates and what happens next");
    add_options(status, options);
    status.example("est-enroll status --cert dev.pem --key dev.key").action([&](Io& io) -> Result<void> {
        ACMETOOL_TRY(list, look(renew, options, io));
        return show_status(list, io);
    });
    renew.heeds(listing).heeds(status);
}

} // namespace acmetool::cli
