// est-enroll: enrolment over secure transport, the client's side (RFC 7030, RFC 8951, RFC 9908).
#include <random>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "acme/issue.h"
#include "base/process.h"
#include "base/text.h"
#include "cli/est_session.h"
#include "cli/program.h"
#include "crypto/cms.h"
#include "crypto/csr_remake.h"
#include "crypto/path.h"
#include "dns/name.h"
#include "est/codec.h"
#include "est/journal.h"
#include "est/run.h"
#include "store/atomic_file.h"

using namespace acmetool;

namespace
{

struct Options : cli::EstOptions {
    std::string format = "pem";
    // the request
    bool pop = false;
    std::string csr_key;
    std::string csr_key_passphrase_file;
    std::string new_key;
    std::string key_out;
    std::vector<std::string> dns;
    std::vector<std::string> ip;
    std::string cn;
    std::string serial_number;
    std::string save_cacerts;
    std::string journal;
    // renewal
    base::Margin before;
    bool check = false;
    bool detailed_exitcode = false;
    base::Milliseconds jitter{0};
    std::string deploy_hook;
    base::Milliseconds hook_timeout{120'000};
    std::string metrics_file;
};

constexpr std::string_view kNothingAsked{"\x30\x00", 2}; // the empty SEQUENCE

Result<void> check_format(const Options& options)
{
    if (options.format == "pem" || options.format == "der" || options.format == "pkcs7") return {};
    return fail(Errc::usage, fmt::format("--format: \"{}\" is none of pem, der, pkcs7",
                                         base::printable(options.format, 40)));
}

/// Certificates as --format wants them; DER has room for the first alone.
Result<std::string> encode(const std::vector<crypto::Certificate>& certificates, const Options& options)
{
    if (options.format == "pem") return crypto::to_pem(certificates);
    if (options.format == "der") return std::string{as_text(certificates.front().der())};
    ACMETOOL_TRY(message, crypto::to_certs_only(certificates));
    return "-----BEGIN PKCS7-----\n" + est::to_body(message) + "-----END PKCS7-----\n";
}

base::Json describe(const std::vector<crypto::Certificate>& certificates)
{
    base::Json list = base::Json::array();
    for (const auto& certificate : certificates)
        list.push_back({{"subject", certificate.subject()},
                        {"serial", certificate.serial()},
                        {"notAfter", base::to_rfc3339(certificate.not_after())},
                        {"sha256", to_hex(certificate.sha256())},
                        {"selfSigned", crypto::is_self_signed(certificate)}});
    return list;
}

void warn_of_rejected(const est::CaCertificates& cas, cli::Io& io)
{
    for (const auto& rejected : cas.rejected)
        io.context().log(base::Level::warning,
                         fmt::format("cacerts: {} is not used: nothing trusted leads to it",
                                     base::printable(rejected.subject(), 200)));
}

Result<void> cacerts(const Options& options, cli::Io& io)
{
    ACMETOOL_CHECK(check_format(options));
    ACMETOOL_TRY(session, cli::EstSession::open(options, io));
    std::optional<est::CaCertificates> cas = session->bootstrapped();
    if (!cas) {
        ACMETOOL_TRY(received, session->client().cacerts());
        ACMETOOL_TRY(sorted, est::sort_out(received, session->trust().explicit_anchors));
        cas = std::move(sorted);
    }
    warn_of_rejected(*cas, io);
    if (io.json())
        return io.write_document("cacerts", {{"certificates", crypto::to_pem(cas->trusted)},
                                             {"trusted", describe(cas->trusted)},
                                             {"rejected", describe(cas->rejected)}});
    ACMETOOL_TRY(text, encode(cas->trusted, options));
    return io.write(text);
}

base::Json describe(const est::CsrAttrs& asked)
{
    base::Json extensions = base::Json::array();
    for (const auto& extension : asked.extensions) {
        base::Json entry{{"oid", extension.oid}, {"critical", extension.critical}};
        if (extension.value) entry["value"] = base::trim(est::to_body(*extension.value, 0));
        extensions.push_back(std::move(entry));
    }
    base::Json members{{"template", asked.from_template},
                       {"challengePassword", asked.challenge_password},
                       {"extensions", std::move(extensions)},
                       {"ignored", asked.ignored}};
    if (!asked.key_type.empty()) members["keyType"] = asked.key_type;
    if (!asked.digest.empty()) members["digest"] = asked.digest;
    if (!asked.subject) return members;
    base::Json subject = base::Json::array();
    for (const auto& rdn : *asked.subject)
        for (const auto& name : rdn) {
            base::Json entry{{"oid", name.oid}, {"name", name.name}};
            if (!name.open()) entry["value"] = base::trim(est::to_body(name.value, 0));
            subject.push_back(std::move(entry));
        }
    members["subject"] = std::move(subject);
    return members;
}

Result<void> csrattrs(const Options& options, cli::Io& io)
{
    ACMETOOL_TRY(session, cli::EstSession::open(options, io));
    ACMETOOL_TRY(der, session->client().csrattrs());
    ACMETOOL_TRY(asked, est::parse_csrattrs(der));
    if (asked.empty()) io.context().log(base::Level::info, "the server asks for nothing particular");
    if (!io.json()) return io.write(der.empty() ? kNothingAsked : as_text(der));
    auto members = describe(asked);
    members["csrattrs"] = base::trim(est::to_body(der.empty() ? as_bytes(kNothingAsked) : ByteView{der}, 0));
    return io.write_document("csrattrs", members);
}

void defer(const est::Enrolment& enrolment, cli::Io& io)
{
    io.defer({.what = fmt::format("{}: the server has not decided yet", enrolment.url),
              .retry_after = enrolment.retry_after,
              .url = enrolment.url,
              .csr_sha256 = est::csr_sha256(enrolment.csr)});
}

Result<void> write_certificate(const std::vector<crypto::Certificate>& chain, const Options& options,
                               cli::Io& io, const base::Json& more = base::Json::object())
{
    if (!io.json()) {
        ACMETOOL_TRY(text, encode(chain, options));
        return io.write(text);
    }
    auto members = acme::certificate_document(chain);
    members.update(more);
    return io.write_document("certificate", members);
}

Result<crypto::Key> read_csr_key(const Options& options)
{
    ACMETOOL_TRY(passphrase, cli::read_secret(options.csr_key_passphrase_file, "--csr-key-passphrase-file"));
    ACMETOOL_TRY(text, cli::read_configured(options.csr_key, "--csr-key"));
    const base::Secret pem{std::move(text)};
    return crypto::parse_private_key(pem.reveal(), options.csr_key, passphrase);
}

/// simpleenroll and simplereenroll: the CSR comes on standard input.
Result<void> post_request(const Options& options, cli::Io& io, bool renewal)
{
    ACMETOOL_CHECK(check_format(options));
    if (options.pop && options.csr_key.empty())
        return fail(Errc::usage, "--pop needs --csr-key FILE",
                    "the channel binding goes into the CSR, which has to be signed anew for it", "noCsrKey");
    if (renewal && options.cert.empty())
        return fail(Errc::usage, "simplereenroll needs --cert and --key",
                    "the certificate that is renewed is the one shown in TLS (RFC 7030 section 4.2.2)",
                    "noCert");
    ACMETOOL_TRY(text, io.input());
    est::EnrolTask task;
    ACMETOOL_TRY(csr, crypto::parse_csr(text));
    task.csr = std::move(csr);
    task.renewal = renewal;
    std::optional<crypto::Key> key;
    if (!options.csr_key.empty()) {
        ACMETOOL_TRY(read, read_csr_key(options));
        key = read;
    }
    ACMETOOL_TRY(session, cli::EstSession::open(options, io));
    if (renewal && !crypto::asks_for_same_names(task.csr, session->identity()->certificates.front()))
        return fail(Errc::bad_input,
                    "the request does not ask for the Subject and SAN of the certificate that is renewed",
                    "est-enroll renew builds the request to the certificate; other names are a new enrolment "
                    "(simpleenroll)",
                    "renewalNames");
    if (options.pop)
        task.bind = [&](const std::string& binding) { return crypto::remake_csr(task.csr, *key, binding); };
    ACMETOOL_TRY(enrolment, session->client().enrol(task));
    if (enrolment.pending) {
        defer(enrolment, io);
        return {};
    }
    return write_certificate(est::chain_of(enrolment.certificates, {}), options, io);
}

Result<est::Filling> filling_of(const Options& options)
{
    est::Filling filling;
    for (const auto& name : options.dns) {
        ACMETOOL_TRY(normal, dns::normalize_name(name));
        filling.identifiers.push_back({"dns", normal});
    }
    for (const auto& address : options.ip) {
        if (!dns::is_ip_literal(address))
            return fail(Errc::bad_input, "--ip " + base::printable(address) + ": not an IP address", {},
                        "badAddress");
        filling.identifiers.push_back({"ip", address});
    }
    if (!options.cn.empty()) {
        ACMETOOL_TRY(normal, dns::normalize_name(options.cn));
        filling.common_name = normal;
    }
    filling.serial_number = options.serial_number;
    return filling;
}

/// Keeps the CA certificates for the next call, where asked to (RFC 7030 section 4.1.3).
std::function<Result<void>(const est::CaCertificates&)> cas_keeper(const Options& options)
{
    if (options.save_cacerts.empty()) return nullptr;
    return [file = options.save_cacerts](const est::CaCertificates& cas) {
        return store::write_atomically(file, crypto::to_pem(cas.trusted), 0644);
    };
}

Result<void> run(const Options& options, cli::Io& io)
{
    ACMETOOL_CHECK(check_format(options));
    const bool makes_key = !options.new_key.empty();
    if (makes_key != options.csr_key.empty() || makes_key == options.key_out.empty())
        return fail(Errc::usage, "give either --new-key TYPE with --key-out FILE, or --csr-key FILE",
                    "the key of the certificate to come; --key is the one of --cert", "noKey");
    est::RunOptions wishes;
    ACMETOOL_TRY(filling, filling_of(options));
    wishes.filling = std::move(filling);
    wishes.key = {options.new_key, options.key_out, std::nullopt};
    if (!makes_key) {
        ACMETOOL_TRY(key, read_csr_key(options));
        wishes.key.existing = key;
    }
    wishes.bind = options.pop;
    wishes.take_cas = cas_keeper(options);
    wishes.journal_file = options.journal.empty()
                              ? (makes_key ? options.key_out : options.csr_key) + ".journal"
                              : options.journal;
    ACMETOOL_TRY(session, cli::EstSession::open(options, io));
    wishes.explicit_anchors = session->trust().explicit_anchors;
    ACMETOOL_TRY(outcome, est::run(session->client(), wishes, options.server, io.context()));
    if (outcome.enrolment.pending) {
        defer(outcome.enrolment, io);
        return {};
    }
    ACMETOOL_CHECK(write_certificate(outcome.chain, options, io));
    est::remove_journal(wishes.journal_file);
    return {};
}

std::string metrics_of(const crypto::Certificate& certificate, const std::string& file, base::TimePoint now)
{
    std::string label;
    for (const char c : file) {
        if (c == '"' || c == '\\') label += '\\';
        label += c;
    }
    return fmt::format("# HELP acme_certificate_expires_timestamp_seconds When the certificate expires.\n"
                       "# TYPE acme_certificate_expires_timestamp_seconds gauge\n"
                       "acme_certificate_expires_timestamp_seconds{{file=\"{0}\"}} {1}\n"
                       "# HELP acme_last_success_timestamp_seconds When the certificate was last found or "
                       "made good.\n"
                       "# TYPE acme_last_success_timestamp_seconds gauge\n"
                       "acme_last_success_timestamp_seconds{{file=\"{0}\"}} {2}\n",
                       label, certificate.not_after().time_since_epoch().count(),
                       now.time_since_epoch().count());
}

Result<void> write_metrics(const crypto::Certificate& certificate, const Options& options, cli::Io& io)
{
    if (options.metrics_file.empty()) return {};
    return store::write_atomically(options.metrics_file,
                                   metrics_of(certificate, options.cert, io.context().now()), 0644);
}

Result<void> deploy(const Options& options, cli::Io& io)
{
    if (options.deploy_hook.empty()) return {};
    const auto status =
        base::run_program({.arguments = {options.deploy_hook},
                           .environment = {"ACMETOOL_CERT=" + options.cert, "ACMETOOL_KEY=" + options.key},
                           .timeout = options.hook_timeout},
                          io.context());
    if (status && *status == 0) return {};
    return fail(Errc::config,
                status ? fmt::format("--deploy-hook {}: exit status {}", options.deploy_hook, *status)
                       : "--deploy-hook: " + status.error().message,
                "the certificate was renewed and is in its place; what uses it was not told",
                "deployHookFailed");
}

/// One certificate that cron keeps alive.
struct Renewal {
    crypto::Certificate current;
    std::string journal_file;
    std::string new_key_file; ///< empty: the key stays
    bool replaces_key = false;
    base::TimePoint due_at;
};

Result<Renewal> plan_renewal(const Options& options)
{
    if (options.cert.empty() || options.key.empty())
        return fail(Errc::usage, "renew needs --cert and --key", "the certificate to keep alive and its key",
                    "noCert");
    if (!options.key_out.empty() && options.new_key.empty())
        return fail(Errc::usage, "--key-out needs --new-key TYPE", {}, "noKey");
    ACMETOOL_TRY(certificates, cli::read_configured_certificates(options.cert, "--cert"));
    const auto& current = certificates.front();
    const bool rekeys = !options.new_key.empty();
    return Renewal{.current = current,
                   .journal_file = options.journal.empty() ? options.key + ".journal" : options.journal,
                   .new_key_file = !rekeys                   ? std::string{}
                                   : options.key_out.empty() ? options.key + ".new"
                                                             : options.key_out,
                   .replaces_key = rekeys && options.key_out.empty(),
                   .due_at = options.before.due(current.not_before(), current.not_after())};
}

/// Puts certificate and key into their places: the key's old content stays until the certificate is written.
Result<void> install(const Renewal& renewal, const std::vector<crypto::Certificate>& chain,
                     const Options& options, cli::Io& io)
{
    ACMETOOL_CHECK(write_certificate(chain, options, io, {{"changed", true}}));
    if (renewal.replaces_key && std::rename(renewal.new_key_file.c_str(), options.key.c_str()) != 0 &&
        errno != ENOENT)
        return fail(Errc::cannot_create,
                    fmt::format("{}: cannot be replaced by {}", options.key, renewal.new_key_file),
                    "run the same command again once the folder can be written");
    est::remove_journal(renewal.journal_file);
    ACMETOOL_CHECK(write_metrics(chain.front(), options, io));
    return deploy(options, io);
}

/// A run that was killed between the server's answer and the last file: its certificate, if the key for it
/// is still there.
Result<std::vector<crypto::Certificate>> unfinished(const Renewal& renewal, const Options& options)
{
    ACMETOOL_TRY(journal, est::read_journal(renewal.journal_file));
    if (!journal || journal->certificate.empty()) return std::vector<crypto::Certificate>{};
    auto chain = crypto::parse_certificates(journal->certificate, renewal.journal_file);
    ACMETOOL_TRY(passphrase, cli::read_secret(options.key_passphrase_file, "--key-passphrase-file"));
    for (const auto& file : {renewal.new_key_file, options.key}) {
        auto text = file.empty() ? fail(Errc::io, {}) : store::read_file(file);
        if (!chain || !text) continue;
        const base::Secret pem{std::move(*text)};
        const auto key = crypto::parse_private_key(pem.reveal(), file, passphrase);
        if (key && chain->front().public_key().same_public_key(*key)) return chain;
    }
    return std::vector<crypto::Certificate>{};
}

Result<void> nothing_due(const Renewal& renewal, const Options& options, cli::Io& io)
{
    ACMETOOL_CHECK(write_metrics(renewal.current, options, io));
    if (options.detailed_exitcode) io.exit_with(2);
    io.context().log(base::Level::detail,
                     fmt::format("{}: not due before {}", options.cert, base::to_rfc3339(renewal.due_at)));
    if (!io.json()) return {}; // --output keeps what it has
    return io.write_document("renewal", {{"changed", false},
                                         {"notAfter", base::to_rfc3339(renewal.current.not_after())},
                                         {"renewAt", base::to_rfc3339(renewal.due_at)}});
}

Result<void> renew_due(const Renewal& renewal, const Options& options, cli::Io& io)
{
    if (options.jitter.count() > 0) {
        // Many devices with the same timer shall not come at the same second.
        std::random_device random;
        const base::Milliseconds delay{random() % options.jitter.count()};
        const auto now = io.context().steady_now();
        ACMETOOL_CHECK(io.context().sleep(delay, {"its turn (--jitter)", now, now + delay}));
    }
    ACMETOOL_TRY(session, cli::EstSession::open(options, io));
    est::RunOptions wishes;
    wishes.key = {options.new_key, renewal.new_key_file, std::nullopt};
    if (renewal.new_key_file.empty()) wishes.key.existing = session->identity()->key;
    wishes.bind = options.pop;
    wishes.renewed = renewal.current;
    wishes.explicit_anchors = session->trust().explicit_anchors;
    wishes.journal_file = renewal.journal_file;
    wishes.take_cas = cas_keeper(options);
    ACMETOOL_TRY(outcome, est::run(session->client(), wishes, options.server, io.context()));
    if (outcome.enrolment.pending) {
        defer(outcome.enrolment, io);
        return {};
    }
    return install(renewal, outcome.chain, options, io);
}

Result<void> renew(const Options& options, cli::Io& io)
{
    const auto renewal = plan_renewal(options);
    const bool due = renewal && io.context().now() >= renewal->due_at;
    if (options.check) { // systemd's ExecCondition: 0 act now, 1 nothing to do, 255 error
        if (!renewal) io.context().log(base::Level::error, renewal.error().message);
        io.exit_with(!renewal ? 255 : due ? 0 : 1);
        return {};
    }
    if (!renewal) return fail(renewal.error());
    ACMETOOL_CHECK(check_format(options));
    ACMETOOL_TRY(left_over, unfinished(*renewal, options));
    if (!left_over.empty()) return install(*renewal, left_over, options, io);
    return due ? renew_due(*renewal, options, io) : nothing_due(*renewal, options, io);
}

void add_waiting(cli::Verb& verb, Options& options)
{
    verb.option("--retry-after", options.retry_after,
                "How long to wait where the server says \"not yet\" but not for how long");
}

void add_format(cli::Verb& verb, Options& options)
{
    verb.option("--format", options.format, "pem, der (the certificate alone) or pkcs7");
}

void add_csr(cli::Verb& verb, Options& options)
{
    verb.flag("--pop", options.pop, "Sign the request anew with the connection's channel binding")
        .option("--csr-key", options.csr_key, "Private key of the request, for --pop")
        .option("--csr-key-passphrase-file", options.csr_key_passphrase_file,
                "File with the passphrase of --csr-key")
        .flag("--wait", options.wait, "Wait while the server says \"not yet\"");
    add_waiting(verb, options);
    add_format(verb, options);
}

void add_run(cli::Verb& verb, Options& options)
{
    verb.option("--new-key", options.new_key, "Make a key: ec:P-256, rsa:3072, ...; auto: as the server asks")
        .option("--key-out", options.key_out, "Write the new key here (0600, never over a file)")
        .flag("--pop", options.pop, "Put the channel binding into the request even if it is not asked for")
        .flag("--once", options.once, "Do not wait: end with 75 where the server says \"not yet\"")
        .option("--save-cacerts", options.save_cacerts,
                "Keep the server's CA certificates in this file, for --explicit-ta")
        .option("--journal", options.journal, "What a killed run left; default: FILE.journal beside the key");
    add_waiting(verb, options);
    add_format(verb, options);
}

} // namespace

int main(int argc, char** argv)
{
    cli::Program program{"est-enroll", "enrol with an EST server"};
    Options options;

    auto& cas = program.verb("cacerts", "GET /cacerts; CA certificates on stdout");
    cli::add_est_server(cas, options);
    add_format(cas, options);
    cas.action([&](cli::Io& io) { return cacerts(options, io); });

    auto& attributes = program.verb("csrattrs", "GET /csrattrs; CSR attributes in DER on stdout");
    cli::add_est_server(attributes, options);
    add_waiting(attributes, options);
    attributes.flag("--wait", options.wait, "Wait while the server says \"not yet\"");
    attributes.action([&](cli::Io& io) { return csrattrs(options, io); });

    auto& first = program.verb("simpleenroll", "CSR on stdin; POST it; certificate on stdout, or 75");
    cli::add_est_server(first, options);
    add_csr(first, options);
    first.action([&](cli::Io& io) { return post_request(options, io, false); });

    auto& again = program.verb("simplereenroll", "the same, renewing the certificate of --cert");
    cli::add_est_server(again, options);
    add_csr(again, options);
    again.action([&](cli::Io& io) { return post_request(options, io, true); });

    auto& all = program.verb("run", "cacerts, csrattrs, key, CSR and simpleenroll in one; waits");
    cli::add_est_server(all, options);
    add_run(all, options);
    all.option("--csr-key", options.csr_key, "Use this private key instead of --new-key")
        .option("--csr-key-passphrase-file", options.csr_key_passphrase_file,
                "File with the passphrase of --csr-key")
        .option("--dns", options.dns, "DNS name for the SAN, where the server leaves it open (repeatable)")
        .option("--ip", options.ip, "IP address for the SAN, where the server leaves it open (repeatable)")
        .option("--cn", options.cn, "Common name, where the server leaves it open")
        .option("--serial-number", options.serial_number,
                "The device's serialNumber for the subject, where the server asks for it");
    all.action([&](cli::Io& io) {
        options.wait = true;
        return run(options, io);
    });

    auto& keeping = program.verb("renew", "for cron: simplereenroll what is about to expire");
    cli::add_est_server(keeping, options);
    add_run(keeping, options);
    keeping
        .option("--before", options.before,
                "Due this long before expiry: a duration, or a share of the lifetime")
        .flag("--check", options.check, "Only say by the exit status: 0 due, 1 nothing to do, 255 error")
        .flag("--detailed-exitcode", options.detailed_exitcode, "Exit with 2 where nothing was due")
        .option("--jitter", options.jitter, "Wait a random time up to this before a request")
        .option("--deploy-hook", options.deploy_hook, "Program to run once a new certificate is in place")
        .option("--hook-timeout", options.hook_timeout, "Kill a hook that runs longer")
        .option("--metrics-file", options.metrics_file, "Write node_exporter text to this file")
        .action([&](cli::Io& io) {
            options.wait = true;
            return renew(options, io);
        });
    return program.main(argc, argv);
}
