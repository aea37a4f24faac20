// teap-enroll: TEAP peer over RADIUS that enrols, and shows what happens (RFC 7170, RFC 3579).
#include <iostream>
#include <limits>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "acme/issue.h"
#include "base/text.h"
#include "brski/checks.h"
#include "brski/pledge.h"
#include "cli/program.h"
#include "crypto/csr_remake.h"
#include "crypto/path.h"
#include "dns/query.h"
#include "enrol/device_label.h"
#include "est/csr_filling.h"
#include "radius/client.h"
#include "store/atomic_file.h"
#include "teap/eap.h"
#include "teap/peer.h"

using namespace acmetool;

namespace
{

constexpr std::uint32_t kFramedMtu = 1400;
constexpr const char* kBootstrapIdentity = "teap-bootstrap@"; ///< the draft leaves its realm to be assigned
constexpr std::uint32_t kWireless = 19;                       ///< NAS-Port-Type
constexpr std::uint16_t kRadiusPort = 1812;
constexpr std::chrono::seconds kLongestDelay{60};
constexpr std::chrono::seconds kVoucherRetry{120}; ///< draft-lear-eap-teap-brski section 8.1.1

struct Options {
    std::string radius = "127.0.0.1:1812";
    std::string secret_file;
    std::string identity = "anonymous";
    std::string cert;
    std::string key;
    std::string server_name;
    std::string new_key;
    std::string key_out;
    std::string csr;
    std::vector<std::string> dns;
    bool request = false;
    bool want_root = false;
    std::string save_root;
    std::string kdf = "auto";
    std::string msk_no_inner = "imck1";
    std::string tls_version;
    bool no_identity_type = false;
    bool no_crypto_binding = false;
    unsigned fragment_size = 1020;
    base::Milliseconds retransmit{3000};
    std::string keylog;
    std::string expect;
    bool pause = false;
    std::string manufacturer_ta;
    std::string idevid;
    std::string idevid_key;
    std::string format = "cms";
    bool allow_nonceless = false;
    bool refuse_nai = false;
    std::string save_voucher;
    std::vector<std::string> numbers;
};

Result<std::string> read_as_config(const std::string& file)
{
    auto text = store::read_file(file);
    if (!text) text.error().code = Errc::config;
    return text;
}

Result<void> check(const Options& options)
{
    const auto one_of = [](const std::string& name, const std::string& value,
                           const std::vector<std::string>& words) -> Result<void> {
        if (std::find(words.begin(), words.end(), value) != words.end()) return {};
        return fail(Errc::usage, fmt::format("{}: \"{}\" is none of {}", name, base::printable(value, 40),
                                             base::join(words, ", ")));
    };
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
    if (options.new_key.empty() != options.key_out.empty())
        return fail(Errc::usage, "--new-key and --key-out belong together");
    if (!options.new_key.empty() && !options.csr.empty())
        return fail(Errc::usage, "either --new-key or --csr, not both");
    return {};
}

/// What the request is made of.
class Requester
{
public:
    Requester(const Options& options, std::vector<crypto::Certificate> own)
        : options_(options), own_(std::move(own))
    {
    }

    Result<void> prepare(cli::Io& io)
    {
        if (!options_.csr.empty()) {
            ACMETOOL_TRY(text, io.read(options_.csr));
            ACMETOOL_TRY(csr, crypto::parse_csr(text));
            given_ = std::move(csr);
        } else if (!options_.new_key.empty()) {
            ACMETOOL_TRY(key, crypto::generate_key(options_.new_key));
            key_ = std::move(key);
        }
        return {};
    }
    bool able() const { return given_ || key_; }
    const std::optional<crypto::Key>& key() const { return key_; }

    Result<crypto::Csr> make(const std::optional<Bytes>& attributes,
                             const std::optional<crypto::ChannelBinding>& binding) const
    {
        if (given_) return *given_;
        std::optional<std::string> password;
        if (binding) password = binding->to_base64();
        crypto::CsrOptions wanted;
        if (attributes) {
            ACMETOOL_TRY(asked, est::parse_csrattrs(*attributes));
            ACMETOOL_CHECK(est::check_key(asked, *key_));
            est::Filling filling;
            for (const auto& name : options_.dns)
                filling.suggestions.push_back({"dns", name});
            if (!own_.empty())
                if (const auto serial = enrol::device_serial(own_.front())) filling.serial_number = *serial;
            ACMETOOL_TRY(filled, est::fill_csr(asked, filling));
            wanted = std::move(filled.options);
        } else if (options_.dns.empty() && !own_.empty() && !own_.front().identifiers().empty()) {
            return crypto::csr_like(own_.front(), *key_, password);
        } else {
            for (const auto& name : options_.dns)
                wanted.identifiers.push_back({"dns", name});
        }
        wanted.challenge_password = password;
        auto csr = crypto::build_csr(*key_, wanted);
        if (!csr) csr.error().hint = "the server told no name: give one with --dns";
        return csr;
    }

private:
    const Options& options_;
    std::vector<crypto::Certificate> own_;
    std::optional<crypto::Csr> given_;
    std::optional<crypto::Key> key_;
};

/// Vouchers for this device: the request by its IDevID, the answer by its manufacturer's word.
class Pledge
{
public:
    static Result<std::shared_ptr<Pledge>> make(const Options& options)
    {
        auto pledge = std::make_shared<Pledge>();
        ACMETOOL_TRY(text, read_as_config(options.manufacturer_ta));
        ACMETOOL_TRY(anchors, crypto::parse_certificates(text, options.manufacturer_ta));
        pledge->manufacturer_ = crypto::AnchorStore{std::move(anchors)};
        const bool own = !options.idevid.empty();
        ACMETOOL_TRY(idevid, http::load_identity(own ? options.idevid : options.cert,
                                                 own ? options.idevid_key : options.key, ""));
        pledge->idevid_ = std::move(idevid);
        pledge->format_ = options.format == "jws" ? brski::Format::jws : brski::Format::cms;
        pledge->allow_nonceless_ = options.allow_nonceless;
        return pledge;
    }
    Result<Bytes> request(const crypto::Certificate& server, base::TimePoint now)
    {
        ACMETOOL_TRY(made, brski::sign_request(idevid_, server, format_, now));
        nonce_ = made.nonce;
        return made.octets;
    }
    Result<void> check(ByteView voucher, const std::vector<crypto::Certificate>& server,
                       base::TimePoint now) const
    {
        const auto verdict = brski::check_voucher(
            voucher, {manufacturer_, idevid_.certificates.front(), nonce_, allow_nonceless_, now, server});
        if (!verdict.report.good()) return fail(verdict.report.error("voucher"));
        if (!verdict.pinned)
            return fail(Errc::refused, "the voucher pins no certificate", {}, "pinned-domain-cert");
        return {};
    }

private:
    crypto::AnchorStore manufacturer_;
    http::TlsIdentity idevid_;
    brski::Format format_ = brski::Format::cms;
    bool allow_nonceless_ = false;
    std::string nonce_;
};

std::optional<teap::Kdf> kdf_of(const std::string& word)
{
    if (word == "auto") return std::nullopt;
    return word == "rfc9427" ? teap::Kdf::rfc9427 : teap::Kdf::rfc7170;
}

/// Draws and traces one message; waits for Enter before the next where that is wanted.
void show(const teap::Shown& shown, const Options& options, base::Context& context)
{
    context.log(base::Level::detail, (shown.by_peer ? "> " : "< ") + shown.text);
    base::Message message;
    message.from = shown.by_peer ? "client" : "teap";
    message.to = shown.by_peer ? "teap" : "client";
    message.label = shown.text;
    context.message(message);
    if (options.pause && shown.by_peer) std::cin.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
}

/// Why a server may have rejected, in the order of likelihood.
std::string likely_cause(const teap::PeerResult& result)
{
    if (!result.errors.empty()) {
        switch (result.errors.back()) {
        case teap::error_code::kClientCertificateNotSupplied:
            return "give the device's certificate with --cert and --key";
        case teap::error_code::kClientCertificateRejected:
            return "the server knows neither the certificate nor its manufacturer";
        case teap::error_code::kUnspecifiedAuthorization:
            return "the device is not in the server's inventory, is blocked, or did not enrol as asked";
        case teap::error_code::kBadIdentityInCsr:
            return "the CSR holds a name that is not this device's";
        default:
            return "the server's log says more";
        }
    }
    if (result.tls.empty())
        return "the TLS handshake did not end: the server may not do TEAP, or not this TLS version";
    return "the server ended without a reason";
}

radius::Packet request_of(const Options& options, ByteView eap, const Bytes* state)
{
    radius::Packet packet;
    packet.code = static_cast<std::uint8_t>(radius::Code::access_request);
    packet.add(radius::attribute::kUserName, as_bytes(options.identity));
    packet.add(radius::attribute::kNasIdentifier, as_bytes("teap-enroll"));
    packet.add(radius::attribute::kCallingStationId, as_bytes("02-00-00-00-00-01"));
    packet.add(radius::attribute::kFramedMtu, kFramedMtu);
    packet.add(radius::attribute::kNasPortType, kWireless);
    radius::add_eap_message(packet, eap);
    if (state != nullptr) packet.add(radius::attribute::kState, *state);
    return packet;
}

/// The NAS: passes EAP between the peer and the server until one of them ends.
Result<radius::Packet> converse(const Options& options, teap::PeerSession& peer, const base::Secret& secret,
                                base::Context& context)
{
    ACMETOOL_TRY(endpoint, dns::parse_endpoint(options.radius, kRadiusPort));
    radius::ClientOptions settings;
    settings.host = endpoint.host;
    settings.port = endpoint.port;
    settings.retransmit = options.retransmit;
    ACMETOOL_TRY(client, radius::Client::open(settings, secret));
    // A NAS asks for the identity itself: code 1, identifier 1, length 5.
    const Bytes ask{1, 1, 0, 5, teap::eap_type::kIdentity};
    ACMETOOL_TRY(first, peer.handle(ask));
    Bytes eap = std::move(*first);
    std::optional<Bytes> state;
    for (;;) {
        ACMETOOL_TRY(reply, client.exchange(request_of(options, eap, state ? &*state : nullptr), context));
        const auto& packet = reply.packet;
        const auto* given = packet.find(radius::attribute::kState);
        state = given != nullptr ? std::optional{*given} : std::nullopt;
        ACMETOOL_TRY(received, radius::eap_message(packet));
        if (received.empty()) return packet; // a Reject without EAP
        auto answer = peer.handle(received);
        if (peer.delay().count() > 0)
            ACMETOOL_CHECK(context.sleep(std::min(peer.delay(), kLongestDelay),
                                         {"the server to have the certificate", context.steady_now(), {}}));
        if (!answer) {
            // The server is told, and its last answer is of no interest.
            if (const auto words = peer.last_words())
                static_cast<void>(
                    client.exchange(request_of(options, *words, state ? &*state : nullptr), context)
                        .has_value());
            return fail(std::move(answer).error());
        }
        if (packet.code == static_cast<std::uint8_t>(radius::Code::access_accept)) {
            if (!peer.result().accepted)
                return fail(Errc::protocol, "Access-Accept before the tunnel's own success",
                            "something between us and the server is lying", "teap");
            ACMETOOL_TRY(keys, radius::mppe_keys(packet, secret, reply.request_authenticator));
            Bytes both = keys.recv;
            both.insert(both.end(), keys.send.begin(), keys.send.end());
            if (both != peer.result().keys.msk)
                return fail(Errc::protocol, "the server gave the NAS other keys than ours",
                            "compare --kdf and --msk-no-inner at both ends", "mskDiffers");
            return packet;
        }
        if (packet.code == static_cast<std::uint8_t>(radius::Code::access_reject)) return packet;
        if (!*answer)
            return fail(Errc::protocol, "the RADIUS server sent EAP that nobody can answer", {}, "teap");
        eap = std::move(**answer);
    }
}

Result<void> rejected(const teap::PeerResult& result, const teap::BrskiNumbers& numbers, cli::Io& io)
{
    std::string why = "the server rejected";
    for (const auto code : result.errors)
        why += fmt::format(": error {} ({})", code, teap::name_of_error(code, numbers));
    const bool no_masa = !result.errors.empty() && result.errors.back() == numbers.masa_unavailable;
    if (result.retry_after || no_masa) {
        const auto wait = result.retry_after.value_or(kVoucherRetry);
        io.defer({why, no_masa ? std::max(wait, kVoucherRetry) : wait, "", ""});
        return {};
    }
    if (result.errors.empty() && result.provisional)
        return fail(Errc::refused, "nobody vouched for the server",
                    "give --ca-file, or a server that does draft-lear-eap-teap-brski", "provisional");
    return fail(Errc::refused, why, likely_cause(result),
                result.errors.empty() ? "rejected" : fmt::format("teap{}", result.errors.back()));
}

Result<void> enroll(const Options& options, cli::Io& io)
{
    ACMETOOL_CHECK(check(options));
    crypto::TlsSettings tls;
    if (!options.tls_version.empty()) tls.min_version = tls.max_version = options.tls_version;
    if (!options.cert.empty()) {
        ACMETOOL_TRY(chain_text, read_as_config(options.cert));
        ACMETOOL_TRY(chain, crypto::parse_certificates(chain_text, options.cert));
        ACMETOOL_TRY(key_text, read_as_config(options.key));
        ACMETOOL_TRY(key, crypto::parse_private_key(key_text, options.key));
        tls.chain = std::move(chain);
        tls.key = std::move(key);
    }
    std::string keylog;
    if (!options.keylog.empty())
        tls.keylog = [&keylog](std::string_view line) { keylog += std::string{line} + "\n"; };
    ACMETOOL_TRY(secret_text, read_as_config(options.secret_file));
    const base::Secret secret{std::string{base::trim(secret_text)}};
    Requester requester{options, tls.chain};
    ACMETOOL_CHECK(requester.prepare(io));

    teap::PeerSettings settings;
    settings.identity = options.identity;
    settings.fragment_size = options.fragment_size;
    settings.kdf = kdf_of(options.kdf);
    settings.msk_no_inner = options.msk_no_inner == "seed" ? teap::MskSource::seed : teap::MskSource::imck1;
    if (options.no_identity_type || tls.chain.empty()) settings.identity_type.reset();
    settings.request_enrolment = options.request;
    settings.want_root = options.want_root || !options.save_root.empty();
    settings.require_binding = !options.no_crypto_binding;
    settings.refuse_nai = options.refuse_nai;
    for (const auto& number : options.numbers)
        ACMETOOL_CHECK(teap::set_number(settings.numbers, number));
    if (!options.manufacturer_ta.empty()) {
        ACMETOOL_TRY(pledge, Pledge::make(options));
        settings.bootstrap = {
            [pledge, &io](const crypto::Certificate& server) {
                return pledge->request(server, io.context().now());
            },
            [pledge, &io](ByteView voucher, const std::vector<crypto::Certificate>& server) {
                return pledge->check(voucher, server, io.context().now());
            }};
        if (options.identity == Options{}.identity) settings.identity = kBootstrapIdentity;
    }
    if (requester.able())
        settings.make_request = [&](const auto& attributes, const auto& binding) {
            return requester.make(attributes, binding);
        };
    settings.show = [&](const teap::Shown& shown) { show(shown, options, io.context()); };

    ACMETOOL_TRY(context, crypto::TlsContext::make(crypto::Side::client, tls));
    const crypto::TrustAnchors anchors{{}, io.ca_file(), io.ca_file().empty()};
    // A device without anchors of its own here trusts nobody yet, not the system's public CAs either.
    const bool trusts_nobody = settings.bootstrap && io.ca_file().empty();
    teap::PeerSession peer{
        settings, context, [&](const std::vector<crypto::Certificate>& chain) -> Result<void> {
            if (trusts_nobody) return fail(Errc::refused, "no trust anchors yet", {}, "provisional");
            ACMETOOL_CHECK(crypto::verify_path(chain.front(), {chain.begin() + 1, chain.end()}, anchors,
                                               crypto::Purpose::tls_server));
            if (!options.server_name.empty() && !crypto::is_valid_for(chain.front(), options.server_name))
                return fail(Errc::refused, "the server's certificate is not for " + options.server_name, {},
                            "serverName");
            return {};
        }};
    const auto end = converse(options, peer, secret, io.context());
    if (!options.keylog.empty()) ACMETOOL_CHECK(store::write_atomically(options.keylog, keylog, 0600));
    if (!end) return fail(end.error());
    const auto& result = peer.result();
    if (!result.accepted) return rejected(result, settings.numbers, io);
    if (options.expect == "enrol" && !result.certificate)
        return fail(Errc::refused, "let in, but without a certificate", "see ask in the server's [teap]",
                    "notEnrolled");
    if (!options.save_voucher.empty() && !result.voucher.empty())
        ACMETOOL_CHECK(store::write_atomically(options.save_voucher, as_text(result.voucher), 0644));
    if (!result.nai.empty()) io.context().log(base::Level::info, "identity from now on: " + result.nai);
    if (!options.save_root.empty() && !result.roots.empty())
        ACMETOOL_CHECK(store::write_atomically(options.save_root, crypto::to_pem(result.roots), 0644));
    if (!result.certificate)
        return io.json() ? io.write_document("access", {{"accepted", true}, {"tls", result.tls}})
                         : Result<void>{};
    std::vector<crypto::Certificate> chain{*result.certificate};
    for (const auto& one : result.certificates)
        if (one.der() != chain.front().der()) chain.push_back(one);
    if (requester.key()) {
        ACMETOOL_TRY(pem, requester.key()->to_pem());
        ACMETOOL_CHECK(io.write_key(options.key_out, pem.reveal()));
    }
    return io.json() ? io.write_document("certificate", acme::certificate_document(chain))
                     : io.write(crypto::to_pem(chain));
}

} // namespace

int main(int argc, char** argv)
{
    cli::Program program{"teap-enroll", "TEAP peer over RADIUS that enrols, and shows what happens"};
    Options options;
    program.only_job()
        .option("--radius", options.radius, "RADIUS server, host[:port]")
        .option("--secret-file", options.secret_file, "File with the shared secret")
        .option("--identity", options.identity, "Outer identity, sent in clear")
        .option("--cert", options.cert, "Certificate chain that is shown: IDevID or LDevID, PEM")
        .option("--key", options.key, "Its private key")
        .option("--server-name", options.server_name, "Name that the server's certificate has to have")
        .option("--new-key", options.new_key, "Make a key to enrol: ec:P-256, rsa:3072, ...")
        .option("--key-out", options.key_out, "Write the new key here (0600, never over a file)")
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
        .action([&](cli::Io& io) { return enroll(options, io); });
    return program.main(argc, argv);
}
