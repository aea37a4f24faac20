#include "teap-enroll/options.h"

#include <algorithm>

#include <fmt/core.h>

#include "base/text.h"
#include "crypto/key_type.h"

namespace acmetool::cli
{
namespace
{

constexpr unsigned kMostParallel = 1000;

Result<void> one_of(const std::string& name, const std::string& value, const std::vector<std::string>& words)
{
    if (std::find(words.begin(), words.end(), value) != words.end()) return {};
    return fail(Errc::usage, fmt::format("{}: \"{}\" is none of {}", name, base::printable(value, 40),
                                         base::join(words, ", ")));
}

/// Many conversations leave nothing behind but their figures.
Result<void> check_load(const TeapOptions& options)
{
    if (options.count == 0 || options.parallel == 0 || options.parallel > kMostParallel)
        return fail(Errc::usage, fmt::format("--count is 1 at least, --parallel 1 to {}", kMostParallel));
    if (options.count == 1) return {};
    const auto refused = [](const char* name) {
        return fail(Errc::usage, std::string{name} + " is for one conversation, not for --count");
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
    verb.option("--radius", options.radius, "RADIUS server, host[:port]")
        .option("--secret-file", options.secret_file, "File with the shared secret")
        .option("--identity", options.identity, "Outer identity, sent in clear")
        .option("--cert", options.cert, "Certificate chain that is shown: IDevID or LDevID, PEM")
        .option("--key", options.key, "Its private key")
        .option("--server-name", options.server_name, "Name that the server's certificate has to have")
        .option(
            "--new-key", options.new_key,
            fmt::format("Make a key to enrol: {}, {}, ...", crypto::kDefaultKeyType, crypto::kDefaultRsaType))
        .option("--key-out", options.key_out, "Write the new key here (0600, never over a file)")
        .option("--journal", options.journal,
                "Journal of a run that has to come back; default: FILE.journal beside the key")
        .option("--csr", options.csr, "Enrol with this request; - is standard input")
        .option("--dns", options.dns,
                "DNS name for the request, where the server leaves it open (repeatable)")
        .flag("--request", options.request, "Send the request without being asked")
        .flag("--want-root", options.want_root, "Ask for the CA's trust anchor, too")
        .option("--save-root", options.save_root, "Write the trust anchor to this file")
        .option("--kdf", options.kdf, "Key derivation under TLS 1.3: auto, rfc7170 (legacy), rfc9427")
        .option("--msk-no-inner", options.msk_no_inner, "What the MSK is derived from: imck1, seed")
        .option("--tls-version", options.tls_version, "Use this version alone: 1.2, 1.3")
        .flag("--no-identity-type", options.no_identity_type, "Send no Identity-Type outside the tunnel")
        .flag("--no-crypto-binding", options.no_crypto_binding, "Take a server that proves no tunnel")
        .option("--fragment-size", options.fragment_size, "Octets of an EAP packet")
        .option("--retransmit", options.retransmit, "Send a RADIUS request again after this time")
        .option("--keylog", options.keylog, "Write the TLS secrets to this file (0600), for Wireshark")
        .option("--expect", options.expect, "enrol: fail where no certificate came; accept: either will do")
        .option("--count", options.count,
                "Hold this many conversations and print statistics; {n} in --cert and --key is the number of "
                "each")
        .option("--parallel", options.parallel, "This many at a time")
        .option("--manufacturer-ta", options.manufacturer_ta,
                "Without --ca-file: trust the server that this manufacturer's voucher names")
        .option("--idevid", options.idevid, "Certificate that signs the voucher-request; default: --cert")
        .option("--idevid-key", options.idevid_key, "Its private key")
        .option("--format", options.format, "Voucher-requests in cms or jws")
        .flag("--allow-nonceless", options.allow_nonceless, "Take a voucher without nonce")
        .option("--save-voucher", options.save_voucher, "Keep the voucher in this file")
        .flag("--refuse-nai", options.refuse_nai, "Keep to --identity whatever name the server gives")
        .option("--number", options.numbers, "NAME=NUMBER of what nobody assigned (repeatable)")
        .flag("--pause", options.pause, "Wait for Enter after each message")
        .shows("tlv", options.show_tlvs, "what is inside each TLV");
}

Result<void> check(const TeapOptions& options)
{
    ACMETOOL_CHECK(one_of("--kdf", options.kdf, {"auto", "rfc7170", "rfc9427", "legacy"}));
    ACMETOOL_CHECK(one_of("--msk-no-inner", options.msk_no_inner, {"imck1", "seed"}));
    if (!options.tls_version.empty())
        ACMETOOL_CHECK(one_of("--tls-version", options.tls_version, {"1.2", "1.3"}));
    if (!options.expect.empty()) ACMETOOL_CHECK(one_of("--expect", options.expect, {"enrol", "accept"}));
    ACMETOOL_CHECK(one_of("--format", options.format, {"cms", "jws"}));
    if (options.idevid.empty() != options.idevid_key.empty())
        return fail(Errc::usage, "--idevid and --idevid-key belong together");
    if (!options.manufacturer_ta.empty() && options.idevid.empty() && options.cert.empty())
        return fail(Errc::usage, "--manufacturer-ta wants a device: --cert or --idevid");
    if (options.secret_file.empty()) return fail(Errc::usage, "--secret-file is needed");
    if (options.cert.empty() != options.key.empty())
        return fail(Errc::usage, "--cert and --key belong together");
    if (!options.new_key.empty() && !options.csr.empty())
        return fail(Errc::usage, "either --new-key or --csr, not both");
    if (options.csr == "-" && options.pause)
        return fail(Errc::usage, "--pause and --csr - both want standard input");
    ACMETOOL_CHECK(check_load(options));
    if (options.count == 1 && options.new_key.empty() != options.key_out.empty())
        return fail(Errc::usage, "--new-key and --key-out belong together");
    if (!options.journal.empty() && options.new_key.empty())
        return fail(Errc::usage, "--journal is kept of a --new-key");
    return {};
}

} // namespace acmetool::cli
