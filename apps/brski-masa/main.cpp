// brski-masa: a manufacturer authorized signing authority for labs (RFC 8995 sections 5.5 to 5.8), and a
// cloud registrar (draft-ietf-anima-brski-cloud).
#include <unistd.h>

#include <filesystem>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "acme/order_task.h"
#include "base/json.h"
#include "base/text.h"
#include "brski/manufacturer.h"
#include "brski/masa_service.h"
#include "cli/program.h"
#include "cli/signals.h"
#include "crypto/key_type.h"
#include "http/server.h"
#include "net/endpoint.h"
#include "registrar/masa_login.h"
#include "store/atomic_file.h"
#include "store/file_lock.h"
#include "store/secret_file.h"

using namespace acmetool;

namespace
{

struct Options {
    std::string folder = "masa";
    std::string listen = "127.0.0.1:9444";
    std::vector<std::string> names;
    std::string owners;
    bool owners_only = false;
    std::string registrar_trust;
    enrol::SerialFields serial_from;
    bool nonceless = false;
    std::string pin = "domain";
    std::string cloud;
    std::string credentials;
    base::Milliseconds retry_after{std::chrono::minutes{10}};
    base::Milliseconds delay{0};
    std::string serial;
    std::string masa_url;
    std::string key_out;
    std::string format = "same";
};

Result<crypto::AnchorStore> read_anchors(const std::string& file)
{
    ACMETOOL_TRY(pem, store::read_file(file));
    ACMETOOL_TRY(certificates, crypto::parse_certificates(pem, file));
    return crypto::AnchorStore{certificates};
}

Result<brski::MasaOptions> masa_options(const Options& options, const brski::LabManufacturer& manufacturer)
{
    brski::MasaOptions masa;
    auto& policy = masa.policy;
    policy.knowledge.idevid_anchors = crypto::AnchorStore{{manufacturer.ca}};
    if (!options.registrar_trust.empty()) {
        ACMETOOL_TRY(anchors, read_anchors(options.registrar_trust));
        policy.knowledge.registrar_anchors = anchors;
    }
    if (options.nonceless && options.registrar_trust.empty())
        return fail(Errc::usage, "--nonceless requires --registrar-trust");
    policy.knowledge.allow_nonceless = options.nonceless;
    for (const auto& field : options.serial_from)
        if (const auto good = enrol::check_serial_field(field); !good)
            return fail(Errc::usage, "--serial-from: " + good.error().message, good.error().hint);
    policy.knowledge.serial_fields = options.serial_from;
    if (!options.owners.empty()) {
        ACMETOOL_TRY(text, store::read_file(options.owners));
        ACMETOOL_TRY(owners, brski::parse_owners(text, options.owners));
        policy.owners = std::move(owners);
    }
    policy.owners_only = options.owners_only;
    policy.pin = options.pin == "domain" ? brski::Pin::domain : brski::Pin::registrar;
    masa.signer = manufacturer.masa;
    if (!options.cloud.empty()) {
        ACMETOOL_TRY(text, store::read_file(options.cloud));
        ACMETOOL_TRY(list, brski::parse_cloud_list(text, options.cloud));
        masa.cloud = std::move(list);
        masa.is_cloud = true;
        masa.owner_retry = std::chrono::ceil<std::chrono::seconds>(options.retry_after);
    }
    return masa;
}

Result<void> serve(const Options& options, cli::Io& io)
{
    io.begin_serving();
    // Two servers must not write the same keys and audit log.
    const auto lock = store::FileLock::acquire_in(options.folder, "masa.lock", io.context());
    if (!lock) return fail(lock.error());
    ACMETOOL_TRY(manufacturer, brski::open_manufacturer(options.folder, io.context().now()));
    ACMETOOL_TRY(settings, masa_options(options, manufacturer));
    if (!options.credentials.empty()) {
        store::warn_if_exposed(options.credentials, "--credentials", io.context());
        ACMETOOL_TRY(login, registrar::read_masa_credentials(options.credentials));
        settings.credentials = std::move(login);
    }
    settings.on_status = [&io](const std::string& serial, const brski::Status& status) {
        io.context().log(base::Level::info,
                         fmt::format("voucher_status of {}: {} {}", base::printable(serial, 100),
                                     status.status ? "success" : "failure", status.reason));
    };
    settings.on_failure = [&io](const Error& error) {
        io.context().log(base::Level::error, fmt::format("{}: {}", error.message, error.hint));
    };
    ACMETOOL_TRY(records, brski::MasaRecords::open(options.folder + "/masa.db"));
    brski::MasaService service{std::move(settings), *records};
    ACMETOOL_TRY(endpoint, net::parse_listen(options.listen, 0));
    auto names = options.names;
    names.push_back(endpoint.host == "0.0.0.0" || endpoint.host == "::" ? "localhost" : endpoint.host);
    ACMETOOL_CHECK(brski::make_tls_certificate(manufacturer, options.folder, names, io.context().now()));
    http::ServerOptions listening;
    listening.address = endpoint.host;
    listening.port = endpoint.port;
    listening.certificate_file = options.folder + "/masa-tls.pem";
    listening.key_file = options.folder + "/masa-tls.key";
    listening.ask_client_certificate = true;
    listening.body_limit = brski::kLargestEnvelope;
    listening.threads = 8; // they mostly wait for the disk
    ACMETOOL_TRY(server, http::Server::start(listening, [&](const http::ServerRequest& request) {
                     if (options.delay.count() > 0)
                         usleep(static_cast<useconds_t>(options.delay.count() * 1000));
                     return service.handle(request, io.context().now());
                 }));
    io.context().log(base::Level::info,
                     "listening on " + net::Endpoint{endpoint.host, server->port()}.text() + " (MASA)");
    const auto origin = "https://" + net::Endpoint{names.back(), server->port()}.text();
    ACMETOOL_CHECK(io.write_document("ready", {{"urls", {{"masa", origin + "/.well-known/brski"}}},
                                               {"pid", getpid()},
                                               {"caFile", options.folder + "/vendor.pem"}}));
    cli::next_signal(); // SIGHUP is not watched: it can only be a stop
    server->drain(std::chrono::seconds{10});
    return {};
}

Result<void> sign(const Options& options, cli::Io& io)
{
    ACMETOOL_TRY(manufacturer, brski::open_manufacturer(options.folder, io.context().now()));
    ACMETOOL_TRY(settings, masa_options(options, manufacturer));
    ACMETOOL_TRY(records, brski::MasaRecords::open(options.folder + "/masa.db"));
    brski::MasaService service{std::move(settings), *records};
    ACMETOOL_TRY(input, io.input());
    auto envelope = brski::parse_envelope(as_bytes(input));
    if (!envelope) {
        envelope.error().code = Errc::bad_input;
        return fail(with_context(std::move(envelope).error(), "standard input"));
    }
    const auto format = options.format == "same"  ? envelope->format
                        : options.format == "jws" ? brski::Format::jws
                                                  : brski::Format::cms;
    ACMETOOL_TRY(voucher, service.sign(*envelope, format, io.context().now()));
    return io.write(as_text(voucher));
}

Result<void> log(const Options& options, cli::Io& io)
{
    std::error_code none;
    if (!std::filesystem::is_directory(options.folder, none))
        return fail(Errc::config,
                    fmt::format("--dir {}: no folder of a MASA", base::printable(options.folder)),
                    "brski-masa serve creates it", "noFolder");
    ACMETOOL_TRY(records, brski::MasaRecords::open(options.folder + "/masa.db"));
    ACMETOOL_TRY(log, records->log(options.serial));
    return io.write(brski::to_json(log) + "\n");
}

Result<void> make_idevid(const Options& options, cli::Io& io)
{
    if (options.serial.empty() || options.key_out.empty())
        return fail(Errc::usage, "make-idevid requires --serial and --key-out");
    ACMETOOL_TRY(manufacturer, brski::open_manufacturer(options.folder, io.context().now()));
    ACMETOOL_TRY(key, crypto::generate_key(crypto::kDefaultKeyType));
    ACMETOOL_TRY(idevid,
                 brski::make_idevid(manufacturer, key, options.serial, options.masa_url, io.context().now()));
    ACMETOOL_TRY(pem, key.to_pem());
    ACMETOOL_CHECK(io.write_key(options.key_out, pem.reveal()));
    if (io.json()) return io.write_document("certificate", acme::certificate_document({idevid}));
    return io.write(idevid.to_pem());
}

void add_policy(cli::Verb& verb, Options& options)
{
    verb.option("--dir DIR", options.folder,
                "Folder for keys, certificates and audit log; created if missing")
        .option("--owners FILE", options.owners,
                "CSV file that assigns devices to owners, given by SHA-256 or certificate file")
        .flag("--owners-only", options.owners_only, "Issue vouchers only for devices listed in --owners")
        .option("--registrar-trust FILE", options.registrar_trust,
                "Trust anchors (PEM) for registrar certificates")
        .flag("--nonceless", options.nonceless,
              "Issue nonceless vouchers to registrars trusted by --registrar-trust")
        .option("--serial-from FIELD", options.serial_from,
                "Field of the IDevID with the serial number, such as commonName (repeatable; the first one "
                "present is used)")
        .option("--pin PIN", options.pin,
                "Certificate pinned by vouchers: domain (topmost certificate sent) or registrar")
        .choices({"domain", "registrar"});
}

} // namespace

int main(int argc, char** argv)
{
    cli::Program program{"brski-masa", "manufacturer authorized signing authority (MASA) for labs"};
    Options options;
    auto& serving = program.verb("serve", "answer voucher-requests until SIGTERM");
    add_policy(serving, options);
    serving.option("--listen HOST:PORT", options.listen, "Address and port; port 0 selects a free port")
        .option("--name NAME", options.names,
                "Additional name or address in the TLS certificate (repeatable)")
        .option("--cloud FILE", options.cloud, "Act as cloud registrar for the devices in this CSV file")
        .option("--credentials FILE", options.credentials,
                "File with user:password for HTTP Basic authentication of registrars")
        .option("--retry-after DURATION", options.retry_after,
                "Retry-After for devices without a known owner at a cloud registrar; 0s: refuse them")
        .option("--delay DURATION", options.delay, "Delay each answer by this time")
        .without(cli::kNetworkOptions)
        .example("brski-masa serve --dir masa --listen 127.0.0.1:9443 --owners owners.csv")
        .action([&](cli::Io& io) { return serve(options, io); });
    auto& signing = program.verb("sign", "read a voucher-request, write a voucher");
    add_policy(signing, options);
    signing.option("--format FORMAT", options.format, "Format of the voucher: same, cms or jws")
        .choices({"same", "cms", "jws"})
        .without(cli::kNetworkOptions)
        .example("brski-masa sign --dir masa -o voucher.cms < request.cms")
        .action([&](cli::Io& io) { return sign(options, io); });
    program.verb("log", "print the audit log of a device")
        .option("--dir DIR", options.folder, "Folder of the MASA")
        .option("--serial SERIAL", options.serial, "Serial number of the device")
        .without(cli::kNetworkOptions)
        .example("brski-masa log --dir masa --serial device0001")
        .action([&](cli::Io& io) { return log(options, io); });
    program.verb("make-idevid", "create a device: write its IDevID, and its key to a file")
        .option("--dir DIR", options.folder, "Folder of the manufacturer; created if missing")
        .option("--serial SERIAL", options.serial, "Serial number of the device")
        .option("--masa-url URL", options.masa_url, "MASA URL in its certificate: HOST[:PORT] or a URL")
        .option("--key-out FILE", options.key_out, "File for the device's private key, mode 0600")
        .without(cli::kNetworkOptions)
        .example("brski-masa make-idevid --dir masa --serial device0001 --key-out idevid.key \\\n"
                 "    -o idevid.pem")
        .action([&](cli::Io& io) { return make_idevid(options, io); });
    return program.main(argc, argv);
}
