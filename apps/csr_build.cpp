// csr-build: makes a key and a PKCS#10 request (RFC 2986); names go into the subject alternative name.
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/program.h"
#include "crypto/csr.h"
#include "dns/name.h"

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
    bool allow_wildcard = false;
    std::string format = "pem";
};

Result<crypto::CsrOptions> csr_options(const Options& options, cli::Io& io)
{
    crypto::CsrOptions csr;
    for (const auto& name : options.dns) {
        ACMETOOL_TRY(normal, dns::normalize_name(name, {options.allow_wildcard}));
        csr.identifiers.push_back({"dns", normal});
    }
    for (const auto& address : options.ip) {
        if (!dns::is_ip_literal(address))
            return fail(Errc::bad_input, "--ip " + base::printable(address) + ": not an IP address", {},
                        "badAddress");
        csr.identifiers.push_back({"ip", address});
    }
    if (!options.common_name.empty()) {
        ACMETOOL_TRY(normal, dns::normalize_name(options.common_name, {options.allow_wildcard}));
        csr.common_name = normal;
    }
    if (!options.challenge_password_file.empty()) {
        ACMETOOL_TRY(password, io.read(options.challenge_password_file));
        csr.challenge_password = std::string{base::trim(password)};
    }
    return csr;
}

Result<crypto::Key> read_key(const Options& options, cli::Io& io)
{
    base::Secret passphrase;
    if (!options.passphrase_file.empty()) {
        ACMETOOL_TRY(text, io.read(options.passphrase_file));
        passphrase = base::Secret{std::string{base::trim(text)}};
    }
    auto text = io.read(options.key);
    if (!text) {
        text.error().code = Errc::config;
        return fail(with_context(std::move(text).error(), "--key"));
    }
    const base::Secret pem{std::move(*text)};
    return crypto::parse_private_key(pem.reveal(), options.key, passphrase);
}

Result<void> build(const Options& options, cli::Io& io)
{
    if (options.new_key.empty() == options.key.empty())
        return fail(Errc::usage, "give either --new-key TYPE with --key-out FILE, or --key FILE",
                    "csr-build --new-key ec:P-256 --key-out my.key --dns my.example.com", "noKey");
    if (!options.new_key.empty() && options.key_out.empty())
        return fail(Errc::usage, "--new-key needs --key-out FILE",
                    "a key is written to a file only, with mode 0600", "noKeyOut");
    if (options.format != "pem" && options.format != "der")
        return fail(Errc::usage,
                    "--format: \"" + base::printable(options.format) + "\" is neither pem nor der");
    ACMETOOL_TRY(csr_parts, csr_options(options, io));
    ACMETOOL_TRY(key,
                 options.new_key.empty() ? read_key(options, io) : crypto::generate_key(options.new_key));
    ACMETOOL_TRY(csr, crypto::build_csr(key, csr_parts));
    if (!options.new_key.empty()) {
        ACMETOOL_TRY(pem, key.to_pem());
        ACMETOOL_CHECK(io.write_key(options.key_out, pem.reveal()));
    }
    if (!io.json()) return io.write(options.format == "der" ? std::string{as_text(csr.der)} : csr.to_pem());
    base::Json identifiers = base::Json::array();
    for (const auto& identifier : csr.identifiers)
        identifiers.push_back({{"type", identifier.type}, {"value", identifier.value}});
    return io.write_document("csr", {{"csr", csr.to_pem()},
                                     {"identifiers", std::move(identifiers)},
                                     {"keyFile", options.new_key.empty() ? options.key : options.key_out}});
}

} // namespace

int main(int argc, char** argv)
{
    cli::Program program{"csr-build", "make a key and a PKCS#10 request"};
    Options options;
    program.only_job()
        .option("--new-key", options.new_key,
                "Make a key: ec:P-256, ec:P-384, ec:P-521, rsa:2048..4096, ed25519")
        .option("--key-out", options.key_out, "Write the new key here (0600, never over a file)")
        .option("--key", options.key, "Use this private key")
        .option("--key-passphrase-file", options.passphrase_file, "File with the passphrase of --key")
        .option("--dns", options.dns, "DNS name for the SAN (repeatable)")
        .option("--ip", options.ip, "IP address for the SAN (repeatable)")
        .option("--cn", options.common_name, "Common name; repeats one of the names")
        .option("--challenge-password-file", options.challenge_password_file,
                "File with the challengePassword (channel binding, base64)")
        .flag("--allow-wildcard", options.allow_wildcard, "Take names like *.example.com")
        .option("--format", options.format, "pem or der")
        .action([&](cli::Io& io) { return build(options, io); });
    return program.main(argc, argv);
}
