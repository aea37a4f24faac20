// brski-pledge: bootstraps a device from its manufacturer's certificate to its owner's (RFC 8995,
// draft-ietf-anima-brski-cloud, RFC 7030).
#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "acme/order_task.h"
#include "base/base64url.h"
#include "base/json.h"
#include "base/text.h"
#include "brski/pledge.h"
#include "cli/program.h"
#include "common/est_session.h"
#include "crypto/key_type.h"
#include "enrol/device_label.h"
#include "est/journal.h"
#include "est/run.h"
#include "http/url.h"
#include "store/atomic_file.h"
#include "store/configured.h"

using namespace acmetool;

namespace
{

struct Options {
    std::string idevid;
    std::string key;
    std::string key_passphrase_file;
    std::string registrar;
    std::string cloud;
    std::string registrar_cert;
    std::string manufacturer_ta;
    std::string request;
    std::string format = "cms";
    bool nonceless = false;
    bool no_clock = false;
    bool explain = false;
    bool failed = false;
    std::string reason;
    std::string new_key = "auto";
    std::string key_out;
    std::string save_cacerts;
    std::string save_voucher;
    std::string journal;
};

Result<brski::Format> format_of(const Options& options)
{
    if (options.format == "cms") return brski::Format::cms;
    if (options.format == "jws") return brski::Format::jws;
    return fail(Errc::usage,
                fmt::format("--format: \"{}\" must be cms or jws", base::printable(options.format, 40)));
}

Result<http::TlsIdentity> read_idevid(const Options& options)
{
    if (options.idevid.empty() || options.key.empty())
        return fail(Errc::usage, "--idevid and --key are required",
                    "give the manufacturer's certificate of the device and its private key", "noKey");
    return http::load_identity(options.idevid, options.key, options.key_passphrase_file);
}

Result<crypto::AnchorStore> read_manufacturer(const Options& options)
{
    if (options.manufacturer_ta.empty())
        return fail(Errc::usage, "--manufacturer-ta, the trust anchor for vouchers, is required");
    ACMETOOL_TRY(anchors, store::read_configured_certificates(options.manufacturer_ta, "--manufacturer-ta"));
    return crypto::AnchorStore{anchors};
}

Result<brski::PledgeOptions> pledge_options(const Options& options, cli::Io& io)
{
    brski::PledgeOptions pledge;
    ACMETOOL_TRY(idevid, read_idevid(options));
    pledge.idevid = std::move(idevid);
    ACMETOOL_TRY(format, format_of(options));
    pledge.format = format;
    pledge.allow_nonceless = options.nonceless;
    pledge.clock = !options.no_clock;
    if (!options.cloud.empty())
        pledge.cloud_anchors = crypto::TrustAnchors{{}, io.ca_file(), io.ca_file().empty()};
    if (const auto timeout = io.timeout()) {
        pledge.deadline = *timeout;
        pledge.tls.request_timeout = std::min(pledge.tls.request_timeout, *timeout);
    }
    return pledge;
}

Result<std::string> place_of(const Options& options)
{
    if (options.registrar.empty() == options.cloud.empty())
        return fail(Errc::usage, "give one of --registrar and --cloud", "both are URLs: https://HOST:PORT",
                    "noServer");
    return options.registrar.empty() ? options.cloud : options.registrar;
}

/// A connection to a registrar that is not authenticated yet; if `expected` is known, it must have that
/// certificate.
std::unique_ptr<http::Transport> provisional(const http::TlsIdentity& identity, base::Context& context,
                                             const crypto::Certificate* expected = nullptr)
{
    http::TlsClientOptions tls;
    tls.identity = identity;
    tls.trust.provisional = true;
    auto connection = std::make_unique<http::TlsClient>(tls, context);
    if (expected == nullptr) return std::make_unique<brski::PinnedTransport>(std::move(connection));
    return std::make_unique<brski::PinnedTransport>(std::move(connection), *expected);
}

std::string_view member_of(brski::Format format)
{
    return format == brski::Format::cms ? "cms" : "jws";
}

Result<void> sign_request(const Options& options, cli::Io& io)
{
    ACMETOOL_TRY(pledge, pledge_options(options, io));
    std::optional<crypto::Certificate> registrar;
    if (!options.registrar_cert.empty()) {
        ACMETOOL_TRY(certificates,
                     store::read_configured_certificates(options.registrar_cert, "--registrar-cert"));
        registrar = certificates.front();
    } else if (!options.registrar.empty()) {
        const auto transport = provisional(pledge.idevid, io.context());
        ACMETOOL_TRY(connection, transport->connect(options.registrar));
        registrar = connection.server_certificates.front();
    } else {
        return fail(Errc::usage, "give one of --registrar and --registrar-cert",
                    "the request contains the registrar's certificate");
    }
    const auto created = pledge.clock ? std::optional{io.context().now()} : std::nullopt;
    ACMETOOL_TRY(request, brski::sign_request(pledge.idevid, *registrar, pledge.format, created));
    if (!io.json()) return io.write(as_text(request.octets));
    ACMETOOL_TRY(serial, enrol::device_serial(pledge.idevid.certificates.front()));
    return io.write_document("voucher-request",
                             {{std::string{member_of(pledge.format)}, base::to_base64(request.octets)},
                              {"nonce", request.nonce},
                              {"serialNumber", serial},
                              {"registrarCertificate", registrar->to_pem()},
                              {"registrarUrl", options.registrar}});
}

/// A request written by sign-request.
struct GivenRequest {
    brski::Envelope envelope;
    brski::VoucherRequest leaves;
};

Result<GivenRequest> parse_request(std::string_view text)
{
    ACMETOOL_TRY(envelope, brski::parse_envelope(as_bytes(text)));
    ACMETOOL_TRY(leaves, brski::parse_voucher_request(envelope.content));
    return GivenRequest{std::move(envelope), std::move(leaves)};
}

Result<void> request_voucher(const Options& options, cli::Io& io)
{
    ACMETOOL_TRY(pledge, pledge_options(options, io));
    ACMETOOL_TRY(place, place_of(options));
    ACMETOOL_TRY(input, io.input());
    ACMETOOL_TRY(request, parse_request(input));
    pledge.format = request.envelope.format;
    ACMETOOL_TRY(reply,
                 brski::request_voucher(place, pledge, io.context(),
                                        brski::SignedRequest{request.envelope.octets, request.leaves.nonce,
                                                             request.leaves.proximity_registrar_cert}));
    if (!io.json()) return io.write(as_text(reply.voucher));
    return io.write_document("voucher",
                             {{std::string{member_of(pledge.format)}, base::to_base64(reply.voucher)},
                              {"nonce", reply.request.nonce},
                              {"registrarCertificate", reply.registrar.front().to_pem()},
                              {"registrarUrl", reply.origin}});
}

std::string_view name_of(brski::Outcome outcome)
{
    return outcome == brski::Outcome::passed ? "pass" : outcome == brski::Outcome::failed ? "FAIL" : "skip";
}

std::string explained(const brski::Report& report)
{
    std::string text;
    for (const auto& check : report.checks)
        text += fmt::format("{}  {}: {} ({})\n", name_of(check.outcome), check.name,
                            base::printable(check.text), check.source);
    return text;
}

Result<void> verify(const Options& options, cli::Io& io)
{
    ACMETOOL_TRY(manufacturer, read_manufacturer(options));
    if (options.idevid.empty() || options.request.empty())
        return fail(Errc::usage, "verify requires --idevid and --request",
                    "give the device's certificate and the request for the voucher");
    ACMETOOL_TRY(idevid, store::read_configured_certificates(options.idevid, "--idevid"));
    ACMETOOL_TRY(request_text, io.read(options.request));
    ACMETOOL_TRY(request, parse_request(request_text));
    std::vector<crypto::Certificate> registrar;
    if (!options.registrar_cert.empty()) {
        ACMETOOL_TRY(certificates,
                     store::read_configured_certificates(options.registrar_cert, "--registrar-cert"));
        registrar = certificates;
    } else {
        // The request contains the certificate of the handshake.
        ACMETOOL_TRY(
            seen, crypto::parse_certificates(as_text(request.leaves.proximity_registrar_cert), "--request"));
        registrar = seen;
    }
    ACMETOOL_TRY(voucher, io.input());
    const brski::PledgeKnowledge knowledge{manufacturer,
                                           idevid.front(),
                                           request.leaves.nonce,
                                           options.nonceless,
                                           options.no_clock ? std::nullopt
                                                            : std::optional{io.context().now()},
                                           registrar};
    const auto verdict = brski::check_voucher(as_bytes(voucher), knowledge);
    if (options.explain && !io.json()) ACMETOOL_CHECK(io.write(explained(verdict.report)));
    if (!verdict.report.good()) return fail(verdict.report.error("voucher"));
    if (options.explain && !io.json()) return {};
    if (!io.json()) return io.write(verdict.pinned->to_pem());
    base::Json checks = base::Json::array();
    for (const auto& check : verdict.report.checks)
        checks.push_back({{"name", check.name},
                          {"outcome", check.outcome == brski::Outcome::passed ? "passed" : "skipped"},
                          {"text", base::printable(check.text)},
                          {"source", check.source}});
    return io.write_document("voucher-verdict", {{"serialNumber", verdict.voucher->serial_number},
                                                 {"assertion", verdict.voucher->assertion},
                                                 {"pinnedDomainCert", verdict.pinned->to_pem()},
                                                 {"checks", checks}});
}

Result<void> tell_status(const Options& options, std::string_view resource, cli::Io& io)
{
    ACMETOOL_TRY(identity, read_idevid(options));
    ACMETOOL_TRY(url, http::parse_url(options.registrar));
    std::optional<crypto::Certificate> expected;
    if (!options.registrar_cert.empty()) {
        ACMETOOL_TRY(certificates,
                     store::read_configured_certificates(options.registrar_cert, "--registrar-cert"));
        expected = certificates.front();
    }
    const auto transport = provisional(identity, io.context(), expected ? &*expected : nullptr);
    return brski::send_status(*transport, url.origin(), resource, {!options.failed, options.reason, ""},
                              io.context());
}

std::string journal_of(const Options& options)
{
    return options.journal.empty() ? options.key_out + ".journal" : options.journal;
}

/// Runs cacerts, csrattrs and enrolment over the open connection or with the EST server that the voucher
/// names.
Result<est::RunOutcome> enrol(const Options& options, const brski::PledgeOptions& pledge,
                              http::Transport& transport, const std::string& origin, cli::Io& io)
{
    est::RunOptions wishes;
    wishes.key = {options.new_key, options.key_out, std::nullopt};
    ACMETOOL_TRY(serial, enrol::device_serial(pledge.idevid.certificates.front()));
    wishes.filling.serial_number = serial;
    wishes.journal_file = journal_of(options);
    wishes.take_cas = [&](const est::CaCertificates& cas) -> Result<void> {
        if (options.save_cacerts.empty()) return {};
        return store::write_output(options.save_cacerts, crypto::to_pem(cas.trusted), 0644, io.context());
    };
    est::ClientOptions settings;
    settings.server.url = origin;
    settings.total_deadline = std::chrono::duration_cast<base::Milliseconds>(pledge.deadline);
    const auto server = settings.server;
    est::Client client{std::move(settings), transport, io.context()};
    return est::run(client, wishes, server, io.context());
}

void warn(cli::Io& io, const char* what, const Result<void>& told)
{
    if (!told) io.context().log(base::Level::warning, fmt::format("{}: {}", what, told.error().message));
}

/// The device's new certificate as its identity.
Result<http::TlsIdentity> new_identity(const Options& options, const std::vector<crypto::Certificate>& chain)
{
    ACMETOOL_TRY(key_text, store::read_file(options.key_out));
    const base::Secret pem{std::move(key_text)};
    ACMETOOL_TRY(key, crypto::parse_private_key(pem.reveal(), options.key_out));
    return http::TlsIdentity{chain, key};
}

std::unique_ptr<http::Transport> verified(const http::ServerTrust& trust, const http::TlsIdentity& identity,
                                          base::Context& context)
{
    http::TlsClientOptions tls;
    tls.identity = identity;
    tls.trust = trust;
    return std::make_unique<http::TlsClient>(tls, context);
}

/// Where the device enrols: with its registrar on the open connection, or with the EST server that the
/// voucher names.
struct Place {
    std::string origin;
    http::Transport* transport = nullptr;
    std::unique_ptr<http::Transport> own; ///< owns `transport` if it leads to an EST server
    std::optional<http::ServerTrust> trust;
};

Result<Place> enrolment_place(const brski::VoucherReply& reply, const brski::VoucherVerdict& verdict,
                              const brski::PledgeOptions& pledge, cli::Io& io)
{
    if (verdict.voucher->est_domain.empty()) {
        reply.transport->accept();
        return Place{reply.origin, reply.transport.get(), nullptr, {}};
    }
    ACMETOOL_TRY(service, brski::est_service(*verdict.voucher, *verdict.pinned));
    auto own = verified(service.trust, pledge.idevid, io.context());
    ACMETOOL_CHECK(own->connect(service.origin));
    auto* const transport = own.get();
    return Place{service.origin, transport, std::move(own), service.trust};
}

/// RFC 8995 section 5.9.4: success over a new session with the new certificate, failure over the old one.
Result<void> tell_enrolled(const Options& options, const brski::VoucherReply& reply, const Place& place,
                           const std::vector<crypto::Certificate>& chain, cli::Io& io)
{
    ACMETOOL_TRY(identity, new_identity(options, chain));
    const auto fresh = place.trust ? verified(*place.trust, identity, io.context())
                                   : provisional(identity, io.context(), &reply.registrar.front());
    return brski::send_status(*fresh, place.origin, "enrollstatus", {true, "", ""}, io.context());
}

Result<void> run(const Options& options, cli::Io& io)
{
    ACMETOOL_TRY(pledge, pledge_options(options, io));
    ACMETOOL_TRY(manufacturer, read_manufacturer(options));
    pledge.manufacturer = manufacturer;
    ACMETOOL_TRY(where, place_of(options));
    if (options.key_out.empty())
        return fail(Errc::usage, "run requires --key-out", "give the file for the new key", "noKey");
    ACMETOOL_TRY(reply, brski::request_voucher(where, pledge, io.context()));
    const auto verdict = brski::check(reply, pledge, io.context());
    const auto lines = explained(verdict.report);
    for (const auto& line : base::split(lines, '\n'))
        if (!line.empty()) io.context().log(base::Level::info, line);
    const auto tell_voucher = [&](bool good) {
        // The reason must not help a hostile registrar (RFC 8995 section 5.7).
        return brski::send_status(*reply.transport, reply.origin, "voucher_status",
                                  {good, good ? "" : "voucher not accepted", ""}, io.context());
    };
    if (!verdict.report.good()) {
        static_cast<void>(tell_voucher(false));
        return fail(verdict.report.error("voucher"));
    }
    // A cloud registrar gets its report after the EST server was tried (draft-ietf-anima-brski-cloud).
    auto place = enrolment_place(reply, verdict, pledge, io);
    warn(io, "voucher_status", tell_voucher(place.has_value()));
    if (!place) return fail(std::move(place).error());
    if (!options.save_voucher.empty())
        ACMETOOL_CHECK(store::write_output(options.save_voucher, as_text(reply.voucher), 0644, io.context()));

    auto outcome = enrol(options, pledge, *place->transport, place->origin, io);
    if (!outcome) {
        warn(io, "enrollstatus",
             brski::send_status(*place->transport, place->origin, "enrollstatus",
                                {false, "enrolment failed", ""}, io.context()));
        return fail(std::move(outcome).error());
    }
    if (outcome->enrolment.pending) {
        io.defer({"the certificate is not available yet", outcome->enrolment.retry_after,
                  outcome->enrolment.url, est::csr_sha256(outcome->enrolment.csr)});
        return {};
    }
    warn(io, "enrollstatus", tell_enrolled(options, reply, *place, outcome->chain, io));
    const auto pem = crypto::to_pem(outcome->chain);
    if (io.json())
        ACMETOOL_CHECK(io.write_document("certificate", acme::certificate_document(outcome->chain)));
    else
        ACMETOOL_CHECK(io.write(pem));
    est::remove_journal(journal_of(options));
    return {};
}

void add_identity(cli::Verb& verb, Options& options)
{
    verb.option("--idevid FILE", options.idevid, "Manufacturer's certificate of the device (IDevID), PEM")
        .option("--key KEY", options.key, "Private key of --idevid")
        .option("--key-passphrase-file FILE", options.key_passphrase_file, "Passphrase of --key");
}

void add_checks(cli::Verb& verb, Options& options)
{
    verb.option("--manufacturer-ta FILE", options.manufacturer_ta,
                "Trust anchors (PEM) for voucher signatures")
        .flag("--nonceless", options.nonceless, "Accept vouchers without a nonce")
        .flag("--no-clock", options.no_clock, "Ignore dates, for a device without a clock");
}

} // namespace

int main(int argc, char** argv)
{
    cli::Program program{"brski-pledge", "bootstrap a device with a voucher"};
    Options options;
    auto& signing = program.verb("sign-request", "write a voucher-request");
    add_identity(signing, options);
    signing.option("--registrar URL", options.registrar, "Registrar from which to get the certificate")
        .option("--registrar-cert FILE", options.registrar_cert, "Certificate of the registrar, PEM")
        .option("--format FORMAT", options.format, "Format of the voucher-request: cms or jws")
        .flag("--no-clock", options.no_clock, "Ignore dates, for a device without a clock")
        .action([&](cli::Io& io) { return sign_request(options, io); });
    auto& requesting = program.verb("requestvoucher", "send a voucher-request, write the voucher");
    add_identity(requesting, options);
    requesting.option("--registrar URL", options.registrar, "URL of the registrar")
        .option("--cloud URL", options.cloud,
                "Cloud registrar, verified with --ca-file or the system's trust anchors")
        .action([&](cli::Io& io) { return request_voucher(options, io); });
    auto& verifying = program.verb("verify", "read a voucher, write the certificate that it pins");
    add_checks(verifying, options);
    verifying
        .option("--idevid FILE", options.idevid, "Manufacturer's certificate of the device (IDevID), PEM")
        .option("--request FILE", options.request, "Voucher-request for this voucher")
        .option("--registrar-cert FILE", options.registrar_cert,
                "Certificates that the registrar presented, PEM; default: the one in the request")
        .flag("--explain", options.explain, "Print each check with its result")
        .action([&](cli::Io& io) { return verify(options, io); });
    for (const auto& [verb, resource] :
         {std::pair{"voucher-status", "voucher_status"}, std::pair{"enroll-status", "enrollstatus"}}) {
        auto& telling = program.verb(verb, fmt::format("report the result with POST {}", resource));
        add_identity(telling, options);
        telling.option("--registrar URL", options.registrar, "URL of the registrar")
            .option("--registrar-cert FILE", options.registrar_cert,
                    "Certificate that the registrar must present, PEM")
            .flag("--failed", options.failed, "Report a failure")
            .option("--reason REASON", options.reason, "Reason for the registrar's log")
            .action([&options, name = std::string{resource}](cli::Io& io) {
                return tell_status(options, name, io);
            });
    }
    auto& running = program.verb(
        "run", "do all steps: voucher, CA certificates, CSR attributes, enrolment; write the certificate");
    add_identity(running, options);
    add_checks(running, options);
    running.option("--registrar URL", options.registrar, "URL of the registrar")
        .option("--cloud URL", options.cloud,
                "Cloud registrar, verified with --ca-file or the system's trust anchors")
        .option("--format FORMAT", options.format, "Format of the voucher-request: cms or jws")
        .option("--new-key TYPE", options.new_key,
                fmt::format("Type of a new key: {}, {}, ...; auto: as the server requests",
                            crypto::kDefaultKeyType, crypto::kDefaultRsaType))
        .option("--key-out FILE", options.key_out, "File for the new key (mode 0600, never overwritten)")
        .option("--save-cacerts FILE", options.save_cacerts, "Write the CA certificates to this file")
        .option("--save-voucher FILE", options.save_voucher, "Write the voucher to this file")
        .option("--journal FILE", options.journal,
                "State of an interrupted run; default: the --key-out file with .journal appended")
        .action([&](cli::Io& io) { return run(options, io); });
    return program.main(argc, argv);
}
