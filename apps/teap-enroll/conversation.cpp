#include "teap-enroll/conversation.h"

#include <fmt/core.h>

#include "base/text.h"
#include "common/est_session.h"
#include "dns/query.h"
#include "http/tls_client.h"
#include "net/endpoint.h"
#include "radius/client.h"
#include "store/configured.h"
#include "teap-enroll/pledge.h"
#include "teap/eap.h"

namespace acmetool::cli
{
namespace
{

constexpr std::uint32_t kFramedMtu = 1400;
constexpr const char* kBootstrapIdentity = "teap-bootstrap@"; ///< the draft leaves the realm to be assigned
constexpr std::uint32_t kWireless = 19;                       ///< NAS-Port-Type
constexpr std::uint16_t kRadiusPort = 1812;
constexpr std::chrono::seconds kLongestDelay{60};
constexpr std::chrono::seconds kVoucherRetry{120}; ///< draft-lear-eap-teap-brski section 8.1.1

/// Why a server may have rejected, most likely cause first.
std::string likely_cause(const teap::PeerResult& result)
{
    if (!result.errors.empty()) {
        switch (result.errors.back()) {
        case teap::error_code::kClientCertificateNotSupplied:
            return "give the device's certificate with --cert and --key";
        case teap::error_code::kClientCertificateRejected:
            return "the server trusts neither the certificate nor its manufacturer";
        case teap::error_code::kUnspecifiedAuthorization:
            return "the device is not in the server's inventory, is blocked, or did not enrol as requested";
        case teap::error_code::kBadIdentityInCsr:
            return "the CSR contains a name that does not belong to this device";
        default:
            return "see the server's log for details";
        }
    }
    if (result.tls.empty())
        return "the TLS handshake did not complete: the server may not support TEAP or this TLS version";
    return "the server ended the conversation without a reason";
}

std::string words_of(const teap::PeerResult& result, const teap::BrskiNumbers& numbers)
{
    std::string why = "the server rejected";
    for (const auto code : result.errors)
        why += ": error " + teap::words_of_error(code, numbers);
    return why;
}

radius::Packet request_of(const TeapOptions& options, ByteView eap, const std::optional<Bytes>& state)
{
    radius::Packet packet;
    packet.code = static_cast<std::uint8_t>(radius::Code::access_request);
    packet.add(radius::attribute::kUserName, as_bytes(options.identity));
    packet.add(radius::attribute::kNasIdentifier, as_bytes("teap-enroll"));
    packet.add(radius::attribute::kCallingStationId, as_bytes("02-00-00-00-00-01"));
    packet.add(radius::attribute::kFramedMtu, kFramedMtu);
    packet.add(radius::attribute::kNasPortType, kWireless);
    radius::add_eap_message(packet, eap);
    if (state) packet.add(radius::attribute::kState, *state);
    return packet;
}

/// The keys that the server gave the NAS must be those of the tunnel.
Result<void> check_keys(const radius::Client::Reply& reply, const base::Secret& secret,
                        const teap::PeerResult& result)
{
    if (!result.accepted)
        return fail(Errc::protocol, "Access-Accept before the tunnel reported success",
                    "a proxy or attacker between peer and server may have forged it", "teap");
    ACMETOOL_TRY(keys, radius::mppe_keys(reply.packet, secret, reply.request_authenticator));
    Bytes both = keys.recv;
    both.insert(both.end(), keys.send.begin(), keys.send.end());
    if (both != result.keys.msk)
        return fail(Errc::protocol, "the keys that the server gave the NAS differ from ours",
                    "check that --kdf and --msk-no-inner match the server's configuration", "mskDiffers");
    return {};
}

/// The NAS: forwards EAP between peer and server until one of them ends.
Result<void> pass_on(const TeapParty& party, teap::PeerSession& peer, base::Context& context)
{
    ACMETOOL_TRY(endpoint, net::parse_endpoint(party.options.radius, kRadiusPort));
    radius::ClientOptions settings;
    settings.host = endpoint.host;
    settings.port = endpoint.port;
    settings.retransmit = party.options.retransmit;
    ACMETOOL_TRY(client, radius::Client::open(settings, party.secret));
    // The NAS requests the identity: code 1, identifier 1, length 5.
    const Bytes ask{1, 1, 0, 5, teap::eap_type::kIdentity};
    ACMETOOL_TRY(first, peer.handle(ask));
    Bytes eap = std::move(*first);
    std::optional<Bytes> state;
    for (;;) {
        ACMETOOL_TRY(reply, client.exchange(request_of(party.options, eap, state), context));
        const auto& packet = reply.packet;
        const auto* given = packet.find(radius::attribute::kState);
        state = given != nullptr ? std::optional{*given} : std::nullopt;
        ACMETOOL_TRY(received, radius::eap_message(packet));
        if (received.empty()) return {}; // a Reject without EAP
        auto answer = peer.handle(received);
        if (peer.delay().count() > 0)
            ACMETOOL_CHECK(context.sleep(std::min(peer.delay(), kLongestDelay),
                                         {"the server to have the certificate", context.steady_now(), {}}));
        if (!answer) {
            // Notify the server; its last answer is ignored.
            if (const auto words = peer.last_words())
                static_cast<void>(
                    client.exchange(request_of(party.options, *words, state), context).has_value());
            return fail(std::move(answer).error());
        }
        if (packet.code == static_cast<std::uint8_t>(radius::Code::access_accept))
            return check_keys(reply, party.secret, peer.result());
        if (packet.code == static_cast<std::uint8_t>(radius::Code::access_reject)) return {};
        if (!*answer)
            return fail(Errc::protocol, "the RADIUS server sent an EAP packet that cannot be answered", {},
                        "teap");
        eap = std::move(**answer);
    }
}

Result<teap::PeerSettings> settings_of(const TeapParty& party, base::Context& context)
{
    const auto& options = party.options;
    teap::PeerSettings settings;
    settings.identity = options.identity;
    settings.fragment_size = options.fragment_size;
    if (options.kdf != "auto")
        settings.kdf = options.kdf == "rfc9427" ? teap::Kdf::rfc9427 : teap::Kdf::rfc7170;
    settings.msk_no_inner = options.msk_no_inner == "seed" ? teap::MskSource::seed : teap::MskSource::imck1;
    if (options.no_identity_type || party.tls.chain.empty()) settings.identity_type.reset();
    settings.request_enrolment = options.request;
    settings.want_root = options.want_root || !options.save_root.empty();
    settings.require_binding = !options.no_crypto_binding;
    settings.refuse_nai = options.refuse_nai;
    ACMETOOL_TRY(numbers, numbers_of(options));
    settings.numbers = numbers;
    if (!options.manufacturer_ta.empty()) {
        ACMETOOL_TRY(pledge, teap_pledge(options, context));
        settings.bootstrap = std::move(pledge);
        if (options.identity == TeapOptions{}.identity) settings.identity = kBootstrapIdentity;
    }
    if (party.request.able())
        settings.make_request = [&request = party.request](const auto& attributes, const auto& binding) {
            return request.make(attributes, binding);
        };
    settings.show = party.show;
    return settings;
}

} // namespace

Result<std::vector<crypto::Certificate>> read_anchors(const std::string& ca_file)
{
    if (ca_file.empty()) return std::vector<crypto::Certificate>{};
    return store::read_configured_certificates(ca_file, "--ca-file");
}

Result<crypto::TlsSettings> read_device(const TeapOptions& options,
                                        const std::vector<crypto::Certificate>& anchors)
{
    crypto::TlsSettings tls;
    if (!options.tls_version.empty()) tls.min_version = tls.max_version = options.tls_version;
    if (options.cert.empty()) return tls;
    ACMETOOL_TRY(identity, http::load_identity(options.cert, options.key, ""));
    tls.chain = crypto::complete_chain(std::move(identity.certificates), anchors);
    tls.key = std::move(identity.key);
    return tls;
}

Result<teap::BrskiNumbers> numbers_of(const TeapOptions& options)
{
    teap::BrskiNumbers numbers;
    for (const auto& number : options.numbers)
        ACMETOOL_CHECK(teap::set_number(numbers, number));
    return numbers;
}

Result<teap::PeerResult> hold(const TeapParty& party, base::Context& context)
{
    ACMETOOL_TRY(settings, settings_of(party, context));
    ACMETOOL_TRY(tls, crypto::TlsContext::make(crypto::Side::client, party.tls));
    // A device without configured anchors trusts no server yet, not even through the system's public CAs.
    const bool trusts_nobody = settings.bootstrap && party.anchors.file.empty();
    const bool by_realm = party.options.server_name.empty();
    const auto name = by_realm ? teap::realm_to_verify(settings.identity) : party.options.server_name;
    teap::PeerSession peer{
        settings, tls, [&](const std::vector<crypto::Certificate>& chain) -> Result<void> {
            if (trusts_nobody) return fail(Errc::refused, "no trust anchors yet", {}, "provisional");
            ACMETOOL_CHECK(crypto::verify_path(chain.front(), {chain.begin() + 1, chain.end()}, party.anchors,
                                               crypto::PathPolicy::tls_server()));
            if (!name.empty() && !crypto::is_valid_for(chain.front(), name))
                return fail(Errc::refused,
                            "the server's certificate is not for " + base::printable(name, 253),
                            by_realm ? "it must name the realm of --identity (RFC 9930 section 3.4); "
                                       "--server-name demands another name"
                                     : "",
                            "serverName");
            return {};
        }};
    ACMETOOL_CHECK(pass_on(party, peer, context));
    return peer.result();
}

std::optional<Deferred> not_yet(const teap::PeerResult& result, const teap::BrskiNumbers& numbers)
{
    const bool no_masa = !result.errors.empty() && result.errors.back() == numbers.masa_unavailable;
    if (result.accepted || (!result.retry_after && !no_masa)) return std::nullopt;
    const auto wait = result.retry_after.value_or(kVoucherRetry);
    return Deferred{words_of(result, numbers), no_masa ? std::max(wait, kVoucherRetry) : wait, "", ""};
}

std::optional<Error> complaint(const teap::PeerResult& result, const TeapOptions& options,
                               const teap::BrskiNumbers& numbers)
{
    const auto error = [](std::string message, std::string hint, Reason reason) {
        Error made;
        made.code = Errc::refused;
        made.message = std::move(message);
        made.hint = std::move(hint);
        made.reason = std::move(reason);
        return made;
    };
    if (result.accepted) {
        if (options.expect != "enrol" || result.certificate) return std::nullopt;
        return error("accepted by the server, but without a certificate",
                     "check \"ask\" in [teap] of the server's configuration", "notEnrolled");
    }
    if (!result.wanted.empty() && result.errors.empty())
        return error(
            fmt::format("the server wants {}; a peer with a certificate has no inner method", result.wanted),
            "configure the server for TEAP with a client certificate and no inner method", "innerMethod");
    if (result.errors.empty() && result.provisional)
        return error("the server was not authenticated, and ended the conversation",
                     "give --ca-file, or use a server that supports draft-lear-eap-teap-brski",
                     "provisional");
    return error(words_of(result, numbers), likely_cause(result),
                 result.errors.empty() ? "rejected" : fmt::format("teap{}", result.errors.back()));
}

} // namespace acmetool::cli
