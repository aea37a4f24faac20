// brski-pledge: bootstraps a device from its manufacturer's certificate to its owner's (RFC 8995,
// draft-ietf-anima-brski-cloud, RFC 7030).
#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "base/base64url.h"
#include "base/text.h"
#include "brski-pledge/discovery.h"
#include "brski-pledge/run.h"
#include "crypto/key_type.h"
#include "enrol/device_label.h"
#include "http/url.h"
#include "store/configured.h"

using namespace acmetool;

namespace
{

std::string_view member_of(brski::Format format)
{
    return format == brski::Format::cms ? "cms" : "jws";
}

Result<void> sign_request(const cli::DeviceOptions& options, cli::Io& io)
{
    ACMETOOL_TRY(pledge, cli::pledge_options(options, io));
    std::optional<crypto::Certificate> registrar;
    if (!options.registrar_cert.empty()) {
        ACMETOOL_TRY(certificates,
                     store::read_configured_certificates(options.registrar_cert, "--registrar-cert"));
        registrar = certificates.front();
    } else if (!options.registrar.empty()) {
        const auto transport = cli::provisional(pledge.idevid, io.context());
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

Result<void> request_voucher(const cli::DeviceOptions& options, cli::Io& io)
{
    ACMETOOL_TRY(pledge, cli::pledge_options(options, io));
    ACMETOOL_TRY(place, cli::place_of(options));
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

Result<void> verify(const cli::DeviceOptions& options, cli::Io& io)
{
    ACMETOOL_TRY(manufacturer, cli::read_manufacturer(options));
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
    ACMETOOL_TRY(crls, store::read_crl_files(options.crl, "--crl"));
    ACMETOOL_TRY(voucher, io.input());
    const brski::PledgeKnowledge knowledge{manufacturer,
                                           idevid.front(),
                                           request.leaves.nonce,
                                           options.nonceless,
                                           options.no_clock ? std::nullopt
                                                            : std::optional{io.context().now()},
                                           registrar,
                                           crls};
    const auto verdict = brski::check_voucher(as_bytes(voucher), knowledge);
    if (options.explain && !io.json()) ACMETOOL_CHECK(io.write(cli::explained(verdict.report)));
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

Result<void> tell_status(const cli::DeviceOptions& options, std::string_view resource, cli::Io& io)
{
    ACMETOOL_TRY(identity, cli::read_idevid(options, io));
    ACMETOOL_TRY(url, http::parse_url(options.registrar));
    std::optional<crypto::Certificate> expected;
    if (!options.registrar_cert.empty()) {
        ACMETOOL_TRY(certificates,
                     store::read_configured_certificates(options.registrar_cert, "--registrar-cert"));
        expected = certificates.front();
    }
    const auto transport = cli::provisional(identity, io.context(), expected ? &*expected : nullptr);
    return brski::send_status(*transport, url.origin(), resource, {!options.failed, options.reason, ""},
                              io.context());
}

void add_identity(cli::Verb& verb, cli::DeviceOptions& options)
{
    verb.option("--idevid FILE", options.idevid, "Manufacturer's certificate of the device (IDevID), PEM")
        .option("--key KEY", options.key, "Private key of --idevid")
        .option("--key-passphrase-file FILE", options.key_passphrase_file, "Passphrase of --key");
}

void add_discovery(cli::Verb& verb, cli::DeviceOptions& options)
{
    verb.option(
            "--interface NAME", options.interfaces,
            "Network interface to ask for registrars by multicast DNS (repeatable); default: all that are up")
        .option("--domain DOMAIN", options.domain,
                "Domain whose DNS names registrars; default: that of this host");
}

void add_checks(cli::Verb& verb, cli::DeviceOptions& options)
{
    verb.option("--manufacturer-ta FILE", options.manufacturer_ta,
                "Trust anchors (PEM) for voucher signatures")
        .option("--crl FILE", options.crl,
                "CRLs of the domain's CAs, for vouchers that demand revocation checks (repeatable)")
        .flag("--nonceless", options.nonceless, "Accept vouchers without a nonce")
        .flag("--no-clock", options.no_clock, "Ignore dates, for a device without a clock");
}

} // namespace

int main(int argc, char** argv)
{
    cli::Program program{"brski-pledge", "bootstrap a device with a voucher"};
    cli::DeviceOptions options;
    auto& signing = program.verb("sign-request", "write a voucher-request");
    add_identity(signing, options);
    signing.option("--registrar URL", options.registrar, "Registrar from which to get the certificate")
        .option("--registrar-cert FILE", options.registrar_cert, "Certificate of the registrar, PEM")
        .option("--format FORMAT", options.format, "Format of the voucher-request: cms or jws")
        .choices({"cms", "jws"})
        .flag("--no-clock", options.no_clock, "Ignore dates, for a device without a clock")
        .without({"ca-file"})
        .example("brski-pledge sign-request --idevid idevid.pem --key idevid.key \\\n"
                 "    --registrar https://registrar.domain.com -o request.cms")
        .action([&](cli::Io& io) { return sign_request(options, io); });
    auto& requesting = program.verb("requestvoucher", "send a voucher-request, write the voucher");
    add_identity(requesting, options);
    requesting.option("--registrar URL", options.registrar, "URL of the registrar")
        .option("--cloud URL", options.cloud,
                "Cloud registrar, verified with --ca-file or the system's trust anchors")
        .example("brski-pledge requestvoucher --idevid idevid.pem --key idevid.key \\\n"
                 "    --registrar https://registrar.domain.com -o voucher.cms < request.cms")
        .action([&](cli::Io& io) { return request_voucher(options, io); });
    auto& verifying = program.verb("verify", "read a voucher, write the certificate that it pins");
    add_checks(verifying, options);
    verifying
        .option("--idevid FILE", options.idevid, "Manufacturer's certificate of the device (IDevID), PEM")
        .option("--request FILE", options.request, "Voucher-request for this voucher")
        .option("--registrar-cert FILE", options.registrar_cert,
                "Certificates that the registrar presented, PEM; default: the one in the request")
        .flag("--explain", options.explain, "Print each check with its result")
        .without(cli::kNetworkOptions)
        .example("brski-pledge verify --manufacturer-ta vendor.pem --idevid idevid.pem \\\n"
                 "    --request request.cms -o domain-ca.pem < voucher.cms")
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
            .without({"ca-file"})
            .example(fmt::format("brski-pledge {} --idevid idevid.pem --key idevid.key \\\n"
                                 "    --registrar https://registrar.domain.com",
                                 verb))
            .action([&options, name = std::string{resource}](cli::Io& io) {
                return tell_status(options, name, io);
            });
    }
    auto& discovering =
        program.verb("discover", "print the registrars that can be found, in the order of trial");
    add_discovery(discovering, options);
    discovering.example("brski-pledge discover");
    discovering.action([&](cli::Io& io) { return cli::list_discovered(options, io); });
    auto& running = program.verb(
        "run", "do all steps: voucher, CA certificates, CSR attributes, enrolment; write the certificate");
    add_identity(running, options);
    add_checks(running, options);
    add_discovery(running, options);
    running.flag("--discover", options.discover, "Find the registrar by multicast DNS, then by DNS")
        .option("--registrar URL", options.registrar, "URL of the registrar")
        .option("--cloud URL", options.cloud,
                "Cloud registrar, verified with --ca-file or the system's trust anchors")
        .option("--format FORMAT", options.format, "Format of the voucher-request: cms or jws")
        .choices({"cms", "jws"})
        .option("--new-key TYPE", options.new_key,
                fmt::format("Type of a new key: {}, {}, ...; auto: as the server requests",
                            crypto::kDefaultKeyType, crypto::kDefaultRsaType))
        .suggestions(crypto::key_types("auto"))
        .option("--key-out FILE", options.key_out, "File for the new key (mode 0600, never overwritten)")
        .option("--save-cacerts FILE", options.save_cacerts, "Write the CA certificates to this file")
        .option("--save-voucher FILE", options.save_voucher, "Write the voucher to this file")
        .option("--journal FILE", options.journal,
                "State of an interrupted run; default: the --key-out file with .journal appended")
        .example("brski-pledge run --idevid idevid.pem --key idevid.key --manufacturer-ta vendor.pem \\\n"
                 "    --registrar https://registrar.domain.com --key-out dev.key -o dev.pem")
        .action([&](cli::Io& io) { return cli::run_pledge(options, io); });
    return program.main(argc, argv);
}
