#include "teap-enroll/options.h"

#include <fmt/core.h>

#include "crypto/key_type.h"

namespace acmetool::cli
{
namespace
{

constexpr unsigned kMostParallel = 1000;

/// Many conversations leave only statistics.
Result<void> check_load(const TeapOptions& options)
{
    if (options.count == 0 || options.parallel == 0 || options.parallel > kMostParallel)
        return fail(Errc::usage,
                    fmt::format("--count must be at least 1, --parallel must be 1 to {}", kMostParallel));
    if (options.count == 1) return {};
    const auto refused = [](const char* name) {
        return fail(Errc::usage, std::string{name} + " cannot be combined with --count");
    };
    if (!options.key_out.empty()) return refused("--key-out");
    if (!options.journal.empty()) return refused("--journal");
    if (!options.csr.empty()) return refused("--csr");
    if (!options.keylog.empty()) return refused("--keylog");
    if (!options.save_root.empty()) return refused("--save-root");
    if (!options.save_voucher.empty()) return refused("--save-voucher");
    if (options.pause) return refused("--pause");
    if (options.show_tlvs) return refused("--show tlv");
    return {};
}

} // namespace

void add_teap(Verb& verb, TeapOptions& options)
{
    verb.option("--radius HOST[:PORT]", options.radius, "RADIUS server")
        .option("--secret-file FILE", options.secret_file, "File with the RADIUS shared secret")
        .option("--identity NAI", options.identity, "Outer identity, sent unencrypted")
        .option("--cert FILE", options.cert,
                "Certificate of the device (IDevID or LDevID) with its chain, PEM")
        .option("--key KEY", options.key, "Private key of that certificate")
        .option("--server-name NAME", options.server_name,
                "Name that the server's certificate must contain; default: the realm of --identity, if it "
                "has one")
        .option("--new-key TYPE", options.new_key,
                fmt::format("Type of a new key to enrol: {}, {}, ...", crypto::kDefaultKeyType,
                            crypto::kDefaultRsaType))
        .suggestions(crypto::key_types())
        .option("--key-out FILE", options.key_out, "File for the new key (mode 0600, never overwritten)")
        .option("--journal FILE", options.journal,
                "State of an unfinished run; default: the --key-out file with .journal appended")
        .option("--csr FILE", options.csr, "Enrol with this CSR; - is standard input")
        .option("--dns NAME", options.dns, "DNS name for the CSR, if the server sets none (repeatable)")
        .flag("--request", options.request, "Send the CSR even if the server does not request it")
        .flag("--want-root", options.want_root, "Also request the CA's trust anchor")
        .option("--save-root FILE", options.save_root, "Write the trust anchor to this file")
        .option("--kdf DERIVATION", options.kdf,
                "Key derivation with TLS 1.3: auto, rfc7170 (legacy) or rfc9427")
        .choices({"auto", "rfc7170", "legacy", "rfc9427"})
        .option("--msk-no-inner DERIVATION", options.msk_no_inner,
                "Source of the MSK without an inner method: imck1 or seed")
        .choices({"imck1", "seed"})
        .option("--tls-version VERSION", options.tls_version, "Only use this TLS version: 1.2 or 1.3")
        .choices({"1.2", "1.3"})
        .flag("--no-identity-type", options.no_identity_type, "Send no Identity-Type outside the tunnel")
        .flag("--no-crypto-binding", options.no_crypto_binding, "Accept a server without Crypto-Binding")
        .option("--fragment-size BYTES", options.fragment_size, "Size of an EAP packet")
        .option("--retransmit DURATION", options.retransmit, "Retransmit a RADIUS request after this time")
        .option("--keylog FILE", options.keylog,
                "Write the TLS secrets to this file (mode 0600), for Wireshark")
        .option("--expect OUTCOME", options.expect,
                "enrol: fail without a new certificate; accept: succeed without one")
        .choices({"enrol", "accept"})
        .option("--count NUMBER", options.count,
                "Run this many conversations and print statistics; {n} in --cert and --key is the number of "
                "each")
        .option("--parallel NUMBER", options.parallel, "With --count: conversations at a time")
        .option("--manufacturer-ta FILE", options.manufacturer_ta,
                "Trust anchors (PEM) for vouchers, which authenticate the server if there is no --ca-file")
        .option("--crl FILE", options.crl,
                "CRLs of the domain's CAs, for vouchers that demand revocation checks (repeatable)")
        .option("--idevid FILE", options.idevid, "Certificate that signs voucher-requests; default: --cert")
        .option("--idevid-key KEY", options.idevid_key, "Private key of that certificate")
        .option("--format FORMAT", options.format, "Format of voucher-requests: cms or jws")
        .choices({"cms", "jws"})
        .flag("--allow-nonceless", options.allow_nonceless, "Accept a voucher without a nonce")
        .option("--save-voucher FILE", options.save_voucher, "Write the voucher to this file")
        .flag("--refuse-nai", options.refuse_nai, "Keep --identity even if the server assigns another")
        .option("--number NAME=NUMBER", options.numbers, "Code point that is not assigned yet (repeatable)")
        .flag("--pause", options.pause, "Wait for Enter after each message")
        .shows("tlv", options.show_tlvs, "the content of each TLV")
        .example("teap-enroll --radius 127.0.0.1:1812 --secret-file secret --ca-file ra-ca.pem \\\n"
                 "    --cert idevid.pem --key idevid.key --new-key ec:P-256 --key-out dev.key -o dev.pem");
}

Result<void> check(const TeapOptions& options)
{
    if (options.idevid.empty() != options.idevid_key.empty())
        return fail(Errc::usage, "--idevid and --idevid-key must be given together");
    if (!options.crl.empty() && options.manufacturer_ta.empty())
        return fail(Errc::usage, "--crl requires --manufacturer-ta");
    if (!options.manufacturer_ta.empty() && options.idevid.empty() && options.cert.empty())
        return fail(Errc::usage, "--manufacturer-ta requires --cert or --idevid");
    if (options.secret_file.empty()) return fail(Errc::usage, "--secret-file is required");
    if (options.cert.empty() != options.key.empty())
        return fail(Errc::usage, "--cert and --key must be given together");
    if (!options.new_key.empty()) ACMETOOL_CHECK(crypto::check_key_type(options.new_key));
    if (!options.new_key.empty() && !options.csr.empty())
        return fail(Errc::usage, "--new-key and --csr cannot be combined");
    if (options.csr == "-" && options.pause)
        return fail(Errc::usage, "--pause and --csr - both read standard input");
    ACMETOOL_CHECK(check_load(options));
    if (options.count == 1 && options.new_key.empty() != options.key_out.empty())
        return fail(Errc::usage, "--new-key and --key-out must be given together");
    if (!options.journal.empty() && options.new_key.empty())
        return fail(Errc::usage, "--journal requires --new-key");
    return {};
}

} // namespace acmetool::cli
