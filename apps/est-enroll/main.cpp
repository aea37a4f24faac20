// est-enroll: client for Enrollment over Secure Transport (RFC 7030, RFC 8951, RFC 9908).
#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/program.h"
#include "common/names.h"
#include "crypto/csr_remake.h"
#include "crypto/path.h"
#include "dns/name.h"
#include "est-enroll/kept.h"
#include "est-enroll/renewal.h"
#include "est-enroll/request.h"
#include "est/codec.h"
#include "est/journal.h"
#include "est/run.h"
#include "store/configured.h"
#include "store/secret_file.h"

using namespace acmetool;

namespace
{

struct Options : cli::EstRequestOptions {
    std::string csr_key;
    std::string csr_key_passphrase_file;
    std::vector<std::string> dns;
    std::vector<std::string> ip;
    std::string cn;
    std::string serial_number;
};

constexpr std::string_view kNothingAsked{"\x30\x00", 2}; // the empty SEQUENCE

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
                         fmt::format("cacerts: {} is ignored: no path from a trust anchor leads to it",
                                     base::printable(rejected.subject(), 200)));
}

Result<void> cacerts(const Options& options, cli::Io& io)
{
    ACMETOOL_TRY(session, cli::EstSession::open(options, io));
    std::optional<est::CaCertificates> cas = session->bootstrapped();
    if (!cas) {
        ACMETOOL_TRY(received, session->client().cacerts());
        ACMETOOL_TRY(sorted, est::sort_out(received, session->trust().explicit_anchors, !options.no_clock));
        cas = std::move(sorted);
    }
    warn_of_rejected(*cas, io);
    if (io.json())
        return io.write_document("cacerts", {{"certificates", crypto::to_pem(cas->trusted)},
                                             {"trusted", describe(cas->trusted)},
                                             {"rejected", describe(cas->rejected)}});
    ACMETOOL_TRY(text, cli::to_format(cas->trusted, options.format));
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
    if (asked.empty()) io.context().log(base::Level::info, "the server requests no CSR attributes");
    if (!io.json()) return io.write(der.empty() ? kNothingAsked : as_text(der));
    auto members = describe(asked);
    members["csrattrs"] = base::trim(est::to_body(der.empty() ? as_bytes(kNothingAsked) : ByteView{der}, 0));
    return io.write_document("csrattrs", members);
}

Result<crypto::Key> read_csr_key(const Options& options, cli::Io& io)
{
    store::warn_if_exposed(options.csr_key, "--csr-key", io.context());
    store::warn_if_exposed(options.csr_key_passphrase_file, "--csr-key-passphrase-file", io.context());
    ACMETOOL_TRY(passphrase, cli::read_secret(options.csr_key_passphrase_file, "--csr-key-passphrase-file"));
    return store::read_configured_key(options.csr_key, "--csr-key", passphrase);
}

/// simpleenroll and simplereenroll: reads the CSR from standard input.
Result<void> post_request(const Options& options, cli::Io& io, bool renewal)
{
    if (options.pop && options.csr_key.empty())
        return fail(Errc::usage, "--pop requires --csr-key KEY",
                    "the channel binding is part of the CSR, which must be signed again", "noCsrKey");
    if (renewal && options.cert.empty())
        return fail(
            Errc::usage, "simplereenroll requires --cert and --key",
            "simplereenroll renews the client certificate of the TLS connection (RFC 7030 section 4.2.2)",
            "noCert");
    ACMETOOL_TRY(text, io.input());
    est::EnrolTask task;
    ACMETOOL_TRY(csr, crypto::parse_csr(text));
    task.csr = std::move(csr);
    task.renewal = renewal;
    std::optional<crypto::Key> key;
    if (!options.csr_key.empty()) {
        ACMETOOL_TRY(read, read_csr_key(options, io));
        key = read;
    }
    ACMETOOL_TRY(session, cli::EstSession::open(options, io));
    if (renewal && !crypto::asks_for_same_names(task.csr, session->identity()->certificates.front()))
        return fail(Errc::bad_input,
                    "the request's Subject and SAN differ from those of the certificate to renew",
                    "est-enroll renew builds a matching request; other names require a new enrolment "
                    "(simpleenroll)",
                    "renewalNames");
    if (options.pop)
        task.bind = [&](const std::string& binding) { return crypto::remake_csr(task.csr, *key, binding); };
    ACMETOOL_TRY(enrolment, session->client().enrol(task));
    if (enrolment.pending) {
        cli::defer(enrolment, io);
        return {};
    }
    auto known = session->trust().explicit_others;
    const auto& anchors = session->trust().explicit_anchors;
    known.insert(known.end(), anchors.begin(), anchors.end());
    return cli::write_certificate(est::chain_of(enrolment.certificates, known), options, io,
                                  base::Json::object());
}

Result<est::Filling> filling_of(const Options& options)
{
    est::Filling filling;
    ACMETOOL_TRY(identifiers, cli::identifiers_of(options.dns, options.ip));
    filling.identifiers = std::move(identifiers);
    if (!options.cn.empty()) {
        ACMETOOL_TRY(normal, dns::normalize_name(options.cn));
        filling.common_name = normal;
    }
    filling.serial_number = options.serial_number;
    return filling;
}

Result<void> deliver(const std::vector<crypto::Certificate>& chain, const std::string& journal_file,
                     const Options& options, cli::Io& io)
{
    ACMETOOL_CHECK(cli::write_certificate(chain, options, io, base::Json::object()));
    est::remove_journal(journal_file);
    return {};
}

Result<void> run(const Options& options, cli::Io& io)
{
    const bool makes_key = !options.new_key.empty();
    if (makes_key != options.csr_key.empty() || makes_key == options.key_out.empty())
        return fail(Errc::usage, "give either --new-key TYPE with --key-out FILE, or --csr-key KEY",
                    "this is the key of the new certificate; --key is the key of --cert", "noKey");
    if (makes_key) ACMETOOL_CHECK(cli::check_new_key(options.new_key));
    est::RunOptions wishes;
    ACMETOOL_TRY(filling, filling_of(options));
    wishes.filling = std::move(filling);
    wishes.key = {options.new_key, options.key_out, std::nullopt};
    if (!makes_key) {
        ACMETOOL_TRY(key, read_csr_key(options, io));
        wishes.key.existing = key;
    }
    wishes.bind = options.pop;
    wishes.journal_file = options.journal.empty()
                              ? (makes_key ? options.key_out : options.csr_key) + ".journal"
                              : options.journal;
    const auto lock = est::lock_journal(wishes.journal_file, io.context());
    if (!lock) return fail(lock.error());
    wishes.clock = !options.no_clock;
    ACMETOOL_TRY(left, est::undelivered(wishes, options.server, io.context()));
    if (!left.empty()) return deliver(left, wishes.journal_file, options, io);
    ACMETOOL_TRY(session, cli::EstSession::open(options, io));
    wishes.explicit_anchors = session->trust().explicit_anchors;
    wishes.take_cas = cli::cas_keeper(options, *session, io);
    ACMETOOL_TRY(outcome, est::run(session->client(), wishes, options.server, io.context()));
    if (outcome.enrolment.pending) {
        cli::defer(outcome.enrolment, io);
        return {};
    }
    return deliver(outcome.chain, wishes.journal_file, options, io);
}

void add_csr(cli::Verb& verb, Options& options)
{
    verb.flag("--pop", options.pop, "Sign the request again with the connection's channel binding")
        .option("--csr-key KEY", options.csr_key, "With --pop: private key of the request")
        .option("--csr-key-passphrase-file FILE", options.csr_key_passphrase_file, "Passphrase of --csr-key")
        .flag("--wait", options.wait, "Wait while the server answers \"not yet\"");
    cli::add_waiting(verb, options);
    cli::add_format(verb, options);
}

} // namespace

int main(int argc, char** argv)
{
    cli::Program program{"est-enroll", "enrol with an EST server"};
    Options options;

    auto& cas = program.verb("cacerts", "get /cacerts, write the CA certificates");
    cli::add_est_server(cas, options);
    cli::add_clock(cas, options);
    cli::add_format(cas, options);
    cas.example("est-enroll cacerts --server https://ra.domain.com:8443 --explicit-ta ra-ca.pem \\\n"
                "    -o cacerts.pem");
    cas.action([&](cli::Io& io) { return cacerts(options, io); });

    auto& attributes = program.verb("csrattrs", "get /csrattrs, write the CSR attributes in DER");
    cli::add_est_server(attributes, options);
    cli::add_clock(attributes, options);
    cli::add_waiting(attributes, options);
    attributes.flag("--wait", options.wait, "Wait while the server answers \"not yet\"");
    attributes.example("est-enroll csrattrs --server https://ra.domain.com:8443 --explicit-ta ra-ca.pem \\\n"
                       "    --cert idevid.pem --key idevid.key -o attrs.der");
    attributes.action([&](cli::Io& io) { return csrattrs(options, io); });

    auto& first = program.verb("simpleenroll", "read a CSR, enrol, write the certificate");
    cli::add_est_server(first, options);
    cli::add_clock(first, options);
    add_csr(first, options);
    first.example("est-enroll simpleenroll --server https://ra.domain.com:8443 --explicit-ta ra-ca.pem \\\n"
                  "    --cert idevid.pem --key idevid.key -o dev.pem < dev.csr");
    first.action([&](cli::Io& io) { return post_request(options, io, false); });

    auto& again = program.verb("simplereenroll", "read a CSR, renew the certificate of --cert");
    cli::add_est_server(again, options);
    cli::add_clock(again, options);
    add_csr(again, options);
    again.example("est-enroll simplereenroll --server https://ra.domain.com:8443 \\\n"
                  "    --explicit-ta ra-ca.pem --cert dev.pem --key dev.key -o new.pem < dev.csr");
    again.action([&](cli::Io& io) { return post_request(options, io, true); });

    auto& all = program.verb("run", "do all steps: cacerts, csrattrs, new key, CSR, simpleenroll");
    cli::add_est_server(all, options);
    cli::add_clock(all, options);
    cli::add_run(all, options);
    all.option("--csr-key KEY", options.csr_key, "Existing private key to use instead of --new-key")
        .option("--csr-key-passphrase-file FILE", options.csr_key_passphrase_file, "Passphrase of --csr-key")
        .option("--dns NAME", options.dns, "DNS name for the SAN, if the server sets none (repeatable)")
        .option("--ip ADDRESS", options.ip, "IP address for the SAN, if the server sets none (repeatable)")
        .option("--cn NAME", options.cn, "Common name, if the server sets none")
        .option("--serial-number SERIAL", options.serial_number,
                "serialNumber for the subject, if the server requests it");
    all.example("est-enroll run --server https://ra.domain.com:8443 --explicit-ta ra-ca.pem \\\n"
                "    --cert idevid.pem --key idevid.key --new-key auto --key-out dev.key -o dev.pem");
    all.action([&](cli::Io& io) {
        options.wait = true;
        return run(options, io);
    });

    cli::EstRenewOptions renewal;
    cli::add_kept(program, cli::add_renew(program, renewal), renewal);
    return program.main(argc, argv);
}
