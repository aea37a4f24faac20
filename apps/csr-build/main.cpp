// csr-build: creates a key and a PKCS#10 request (RFC 2986) with the names in the subject alternative name.
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/program.h"
#include "common/names.h"
#include "crypto/csr.h"
#include "crypto/key_type.h"
#include "crypto/key_uri.h"
#include "dns/local_domain.h"
#include "dns/name.h"
#include "enrol/device_label.h"
#include "est/codec.h"
#include "est/csr_filling.h"
#include "est/csrattrs.h"

using namespace acmetool;

namespace
{

struct Options {
    std::string new_key;
    std::string key_out;
    std::string key;
    std::string passphrase_file;
    std::vector<std::string> dns;
    std::vector<std::string> ip;
    std::string common_name;
    std::string challenge_password_file;
    std::string csrattrs;
    std::string idevid;
    std::string label;
    std::string domain;
    bool allow_wildcard = false;
    std::string format = "pem";
};

/// The names given by the caller.
Result<est::Filling> given_names(const Options& options)
{
    est::Filling filling;
    ACMETOOL_TRY(identifiers, cli::identifiers_of(options.dns, options.ip, {options.allow_wildcard}));
    filling.identifiers = std::move(identifiers);
    if (!options.common_name.empty()) {
        ACMETOOL_TRY(normal, dns::normalize_name(options.common_name, {options.allow_wildcard}));
        filling.common_name = normal;
    }
    return filling;
}

Result<std::string> domain_of_device(const Options& options, cli::Io& io)
{
    if (options.domain != "auto") return options.domain;
    ACMETOOL_TRY(found, dns::local_domain());
    io.context().log(base::Level::info, "domain " + found.name + " from " + found.source);
    return found.name;
}

/// The name that a device gives itself: a label from its IDevID or at random, and the domain (CSR-15).
Result<void> add_own_name(const Options& options, cli::Io& io, est::Filling& filling)
{
    const bool random = options.label == "random";
    std::string label;
    if (!options.idevid.empty()) {
        ACMETOOL_TRY(text, io.read(options.idevid));
        ACMETOOL_TRY(chain, crypto::parse_certificates(text, options.idevid));
        auto serial = enrol::device_serial(chain.front());
        if (!serial) return fail(with_context(std::move(serial).error(), "--idevid"));
        filling.serial_number = *serial;
        label = enrol::device_label(*serial);
    }
    if (random) label = enrol::random_label();
    if (options.domain.empty() && (random || (!label.empty() && options.csrattrs.empty())))
        return fail(Errc::usage, "a label requires a domain", "give --domain NAME, or --domain auto",
                    "noDomain");
    if (options.domain.empty()) return {};
    if (label.empty())
        return fail(Errc::usage, "--domain requires a label", "give --idevid FILE or --label random",
                    "noLabel");
    ACMETOOL_TRY(domain, domain_of_device(options, io));
    ACMETOOL_TRY(name, dns::normalize_name(label + "." + domain));
    filling.suggestions.push_back({"dns", name});
    return {};
}

Result<est::CsrAttrs> read_csrattrs(const Options& options, cli::Io& io)
{
    if (options.csrattrs.empty()) return est::CsrAttrs{};
    ACMETOOL_TRY(text, io.read(options.csrattrs));
    auto body = est::parse_body(text);
    if (!body) return fail(with_context(std::move(body).error(), "--csrattrs"));
    return est::parse_csrattrs(body->der);
}

/// The content of the request: from the caller and, with --csrattrs, from the EST server's attributes.
Result<est::FilledCsr> csr_parts(const Options& options, const est::CsrAttrs& asked, cli::Io& io)
{
    ACMETOOL_TRY(filling, given_names(options));
    ACMETOOL_CHECK(add_own_name(options, io, filling));
    ACMETOOL_TRY(filled, est::fill_csr(asked, filling));
    if (!options.challenge_password_file.empty()) {
        ACMETOOL_TRY(password, io.read(options.challenge_password_file));
        filled.options.challenge_password = std::string{base::trim(password)};
    } else if (asked.challenge_password) {
        filled.unfilled.push_back({"challengePassword", "--challenge-password-file"});
    }
    for (const auto& open : filled.unfilled)
        io.context().log(base::Level::warning,
                         "the CSR attributes request " + open.name + ", which is missing" +
                             (open.option.empty() ? "" : "; provide it with " + open.option));
    return std::move(filled);
}

/// The type of a new key: as given by the caller, else as the EST server requests, else the default.
std::string new_key_type(const Options& options, const est::CsrAttrs& asked)
{
    return options.new_key.empty() ? crypto::new_key_type(asked.key_type) : options.new_key;
}

Result<crypto::Key> read_key(const Options& options, cli::Io& io)
{
    base::Secret passphrase;
    if (!options.passphrase_file.empty()) {
        ACMETOOL_TRY(text, io.read(options.passphrase_file));
        passphrase = base::Secret{std::string{base::trim(text)}};
    }
    if (crypto::is_key_uri(options.key)) return crypto::load_key_uri(options.key, passphrase);
    auto text = io.read(options.key);
    if (!text) {
        if (text.error().code != Errc::interrupted) text.error().code = Errc::config;
        return fail(with_context(std::move(text).error(), "--key"));
    }
    const base::Secret pem{std::move(*text)};
    return crypto::parse_private_key(pem.reveal(), options.key, passphrase);
}

Result<void> build(const Options& options, cli::Io& io)
{
    // With CSR attributes the server determines the type of a new key, so --key-out is enough to request one.
    const bool told = options.new_key.empty() && !options.csrattrs.empty() && !options.key_out.empty();
    const bool new_key = !options.new_key.empty() || (told && options.key.empty());
    if (new_key == !options.key.empty())
        return fail(Errc::usage, "give either --new-key TYPE with --key-out FILE, or --key FILE",
                    "csr-build --new-key ec:P-256 --key-out my.key --dns my.example.com", "noKey");
    if (new_key && options.key_out.empty())
        return fail(Errc::usage, "--new-key needs --key-out FILE",
                    "a new key is only written to a file, with mode 0600", "noKeyOut");
    ACMETOOL_TRY(asked, read_csrattrs(options, io));
    ACMETOOL_TRY(parts, csr_parts(options, asked, io));
    ACMETOOL_TRY(key, new_key ? crypto::generate_key(new_key_type(options, asked)) : read_key(options, io));
    ACMETOOL_CHECK(est::check_key(asked, key));
    ACMETOOL_TRY(csr, crypto::build_csr(key, parts.options));
    if (new_key) {
        ACMETOOL_TRY(pem, key.to_pem());
        ACMETOOL_CHECK(io.write_key(options.key_out, pem.reveal()));
    }
    if (!io.json()) return io.write(options.format == "der" ? std::string{as_text(csr.der)} : csr.to_pem());
    base::Json identifiers = base::Json::array();
    for (const auto& identifier : csr.identifiers)
        identifiers.push_back({{"type", identifier.type}, {"value", identifier.value}});
    base::Json document{
        {"csr", csr.to_pem()},
        {"identifiers", std::move(identifiers)},
        {crypto::is_key_uri(options.key) ? "keyUri" : "keyFile", new_key ? options.key_out : options.key}};
    if (!options.csrattrs.empty()) {
        document["unfilled"] = base::Json::array();
        for (const auto& open : parts.unfilled)
            document["unfilled"].push_back(open.name);
    }
    return io.write_document("csr", document);
}

} // namespace

int main(int argc, char** argv)
{
    cli::Program program{"csr-build", "create a key and a PKCS#10 certificate request"};
    Options options;
    program.only_job()
        .option("--new-key TYPE", options.new_key,
                "Type of a new key: ec:P-256, ec:P-384, ec:P-521, rsa:2048 to rsa:4096, ed25519")
        .suggestions(crypto::key_types())
        .option("--key-out FILE", options.key_out, "File for the new key (mode 0600, never overwritten)")
        .option("--key KEY", options.key, "Existing private key (file or URI)")
        .option("--key-passphrase-file FILE", options.passphrase_file, "Passphrase of --key")
        .option("--dns NAME", options.dns, "DNS name for the SAN (repeatable)")
        .option("--ip ADDRESS", options.ip, "IP address for the SAN (repeatable)")
        .option("--cn NAME", options.common_name, "Common name; must be one of the names")
        .option("--challenge-password-file FILE", options.challenge_password_file,
                "challengePassword (channel binding, base64)")
        .option("--csrattrs FILE", options.csrattrs,
                "Build the request from these CSR attributes (DER or base64)")
        .option("--idevid FILE", options.idevid,
                "With --domain: name the device after the serialNumber of this certificate")
        .option("--label LABEL", options.label, "With --domain: random, for a new opaque label")
        .choices({"random"})
        .option("--domain DOMAIN", options.domain,
                "Domain of the device's name; auto: from DHCP or the resolver")
        .flag("--allow-wildcard", options.allow_wildcard, "Accept names like *.example.com")
        .option("--format FORMAT", options.format, "Output format: pem or der")
        .choices({"pem", "der"})
        .without(cli::kNetworkOptions)
        .example("csr-build --new-key ec:P-256 --key-out sub.key --dns sub.domain.com -o sub.csr")
        .action([&](cli::Io& io) { return build(options, io); });
    return program.main(argc, argv);
}
