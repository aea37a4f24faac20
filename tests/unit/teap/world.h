#pragma once

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "../ra/fixture.h"
#include "crypto/path.h"
#include "teap/fragments.h"
#include "teap/peer.h"
#include "teap/server.h"

/// A TEAP server with a registration authority that knows one device, and peers for it.
namespace acmetool::teap_test
{

using namespace teap;

struct Party {
    crypto::Key key;
    crypto::Certificate certificate;
};

inline Party self_signed(const std::string& name)
{
    auto key = *crypto::generate_key("ec:P-256");
    auto certificate = test::make_certificate(key, name, "", key, name, true);
    return {std::move(key), std::move(certificate)};
}

inline Party signed_by(const Party& ca, const std::string& ca_name, const std::string& name,
                       const std::string& serial, bool is_ca = false)
{
    auto key = *crypto::generate_key("ec:P-256");
    auto certificate = test::make_certificate(key, name, serial, ca.key, ca_name, is_ca);
    return {std::move(key), std::move(certificate)};
}

/// Knows device "D-1", whose name is d-1.example, and the certificates that it issued.
class Authority final : public enrol::RegistrationAuthority
{
public:
    void enrol(enrol::EnrolRequest request, std::function<void(enrol::Decision)> done) override
    {
        ++enrolments;
        binding = request.binding;
        if (decision) {
            done(*decision);
            return;
        }
        if (request.csr.identifiers != std::vector<crypto::Identifier>{{"dns", "d-1.example"}}) {
            done(enrol::Refused{enrol::Refusal::bad_identity, "not the device's name", {}});
            return;
        }
        issued.push_back(test::make_certificate(request.csr.key, "d-1.example", "", intermediate.key,
                                                "Intermediate", false));
        done(enrol::Issued{issued.back()});
    }
    void csr_attributes(enrol::Peer peer, const std::string&,
                        std::function<void(enrol::AttributesDecision)> done) override
    {
        enrol::CsrAttributes attributes;
        const auto der = peer.certificates.front().der();
        attributes.issued_here =
            std::any_of(issued.begin(), issued.end(), [&](const auto& one) { return one.der() == der; });
        const bool device = peer.certificates.front().subject().find("D-1") != std::string::npos &&
                            der == known.certificate.der();
        attributes.key_type = key_type;
        if (attributes.issued_here || device) {
            attributes.identifiers = {{"dns", "d-1.example"}};
            attributes.authenticated = recognises;
            attributes.must_renew = expired;
            attributes.device_serial = "D-1";
            attributes.manufacturer = manufacturer;
        }
        done(attributes);
    }
    std::optional<std::vector<crypto::Certificate>> ca_certificates(const std::string&) override
    {
        return std::vector{root.certificate, intermediate.certificate};
    }

    Party root = self_signed("Root");
    Party intermediate = signed_by(root, "Root", "Intermediate", "", true);
    Party maker = self_signed("Maker");
    Party known = signed_by(maker, "Maker", "device", "D-1");
    std::vector<crypto::Certificate> issued;
    std::optional<enrol::Decision> decision;
    std::string key_type;
    std::string manufacturer;
    bool recognises = true;
    bool expired = false;
    int enrolments = 0;
    enrol::Binding binding = enrol::Binding::absent;
};

struct World {
    Authority authority;
    Party radius_ca = self_signed("Radius CA");
    Party radius = signed_by(radius_ca, "Radius CA", "radius", "");
    std::shared_ptr<ServerSettings> server = std::make_shared<ServerSettings>();
    PeerSettings peer;
    std::string max_version = "1.3";
    Party device = authority.known;
    bool shows_certificate = true;
    enrol::VoucherAuthority* vouchers = nullptr;
    std::string asks_for = "d-1.example";
    crypto::Key new_key = *crypto::generate_key("ec:P-256");
    std::vector<std::string> shown;

    World()
    {
        peer.make_request = [this](const std::optional<Bytes>&,
                                   const std::optional<crypto::ChannelBinding>& binding) {
            crypto::CsrOptions options;
            options.identifiers = {{"dns", asks_for}};
            if (binding) options.challenge_password = binding->to_base64();
            return crypto::build_csr(new_key, options);
        };
        peer.show = [this](const Shown& one) { shown.push_back((one.by_peer ? "> " : "< ") + one.text); };
    }
    crypto::TlsContext server_context() const
    {
        crypto::TlsSettings settings;
        settings.chain = {radius.certificate};
        settings.key = radius.key;
        return *crypto::TlsContext::make(crypto::Side::server, settings);
    }
    crypto::TlsContext peer_context() const
    {
        crypto::TlsSettings settings;
        settings.max_version = max_version;
        if (shows_certificate) {
            settings.chain = {device.certificate};
            settings.key = device.key;
        }
        return *crypto::TlsContext::make(crypto::Side::client, settings);
    }
    crypto::TlsEngine::Verifier verifier() const
    {
        return [this](const std::vector<crypto::Certificate>& chain) -> Result<void> {
            auto path = crypto::verify_path(chain.front(), {chain.begin() + 1, chain.end()},
                                            {{radius_ca.certificate}, "", false},
                                            crypto::PathPolicy::ca_certificate());
            if (!path) return fail(path.error());
            return {};
        };
    }
};

struct Talk {
    Outcome outcome = Outcome::proceed;
    Answer last;
    Summary summary;
    PeerResult peer;
    std::optional<Error> peer_error;
    int rounds = 0;
};

/// Tampering with what passes: may change the packet in place. `by_peer`, number of the packet.
using Tamper = std::function<void(bool, int, Bytes&)>;

inline Talk talk(World& world, const Tamper& tamper = {})
{
    ServerSession server{world.server, world.server_context(), world.authority, "192.0.2.1",
                         "id",         world.vouchers};
    PeerSession peer{world.peer, world.peer_context(), world.verifier()};
    Talk result;
    Bytes eap;
    while (result.rounds < 100) {
        Answer answer;
        bool answered = false;
        if (!server.handle(eap, 0, [&](Answer one) {
                answer = std::move(one);
                answered = true;
            }))
            break;
        REQUIRE(answered);
        result.outcome = answer.outcome;
        result.last = answer;
        if (tamper) tamper(false, result.rounds, answer.eap);
        auto next = peer.handle(answer.eap);
        if (!next) {
            result.peer_error = next.error();
            next = peer.last_words();
        }
        if (answer.outcome != Outcome::proceed || !*next) break;
        eap = **next;
        if (tamper) tamper(true, result.rounds, eap);
        ++result.rounds;
    }
    result.summary = server.summary();
    result.peer = peer.result();
    return result;
}

inline bool same_keys(const Talk& talk)
{
    return !talk.last.keys.msk.empty() && talk.last.keys.msk == talk.peer.keys.msk &&
           talk.last.keys.emsk == talk.peer.keys.emsk;
}

/// A peer that says in phase 2 what the test wants; it is the library's tunnel with other words.
struct RawPeer {
    World& world;
    ServerSession server;
    crypto::TlsEngine tls;
    Answer answer;
    std::optional<KeySchedule> keys;
    OuterTlvs outer;

    /// `early`: said along with the last octets of the handshake. `own_outer`: beside the ClientHello.
    explicit RawPeer(World& from, Tlvs early = {}, Bytes own_outer = {})
        : world(from),
          server(from.server, from.server_context(), from.authority, "192.0.2.1", "id", from.vouchers),
          tls(*crypto::TlsEngine::start(from.peer_context(), {}))
    {
        REQUIRE(server.handle(EapPacket{EapCode::response, 1, eap_type::kIdentity, {'a'}}.encode(), 0,
                              [this](Answer one) { answer = std::move(one); }));
        outer.server = encode({{false, tlv_type::kAuthorityId, world.server->authority_id}});
        outer.peer = std::move(own_outer);
        hello_outer = outer.peer;
        while (!tls.established() || tls_output_left()) {
            if (tls.established() && !early.empty()) {
                REQUIRE(tls.send(encode(std::exchange(early, {}))));
                const auto more = tls.take_output();
                pending.insert(pending.end(), more.begin(), more.end());
            }
            say();
        }
    }
    bool tls_output_left()
    {
        pending = tls.take_output();
        return !pending.empty();
    }
    Bytes pending;
    Bytes hello_outer; ///< until it is sent
    Tlvs heard;

    /// Sends what TLS has, takes what comes.
    void say()
    {
        if (pending.empty()) pending = tls.take_output();
        Fragmenter fragmenter;
        fragmenter.load({std::exchange(pending, {}), std::exchange(hello_outer, {})}, false, 4000);
        deliver(fragmenter.next());
    }
    void deliver(const Frame& frame)
    {
        REQUIRE(server.handle(EapPacket{EapCode::response, answer.eap[1], 55, frame.encode()}.encode(), 0,
                              [this](Answer one) { answer = std::move(one); }));
        if (answer.outcome != Outcome::proceed) return;
        const auto packet = *parse_eap(answer.eap);
        auto got = *parse_frame(packet.data);
        if (got.start) return;
        REQUIRE(tls.feed(got.data));
        const bool more = got.more;
        heard = *parse_tlvs(tls.take_data());
        if (more) deliver({});
    }
    void say(const Tlvs& tlvs)
    {
        REQUIRE(tls.send(encode(tlvs)));
        say();
    }
    Tlv binding()
    {
        keys = *KeySchedule::start(tls.version() == "TLSv1.3" ? Kdf::rfc9427 : Kdf::rfc7170,
                                   tls.hash_is_sha384() ? Hash::sha384 : Hash::sha256,
                                   [this](std::string_view label, std::optional<ByteView> context,
                                          std::size_t size) { return tls.export_key(label, context, size); });
        REQUIRE(keys->step({}, {}));
        const auto* tlv = find(heard, tlv_type::kCryptoBinding);
        REQUIRE(tlv != nullptr);
        return make_response(*keys, outer, *parse_crypto_binding(*tlv), 1)->encode();
    }
    Tlv pkcs10() { return {false, tlv_type::kPkcs10, world.peer.make_request({}, {})->der}; }
    std::uint32_t error()
    {
        const auto* tlv = find(heard, tlv_type::kError);
        const auto* result = find(heard, tlv_type::kResult);
        if (tlv == nullptr || result == nullptr || *parse_result(*result) != Status::failure) return 0;
        // Whatever is said after that, the end is EAP-Failure.
        const auto code = *parse_error(*tlv);
        say({result_tlv(Status::success)});
        CHECK(answer.outcome == Outcome::reject);
        return code;
    }
};

/// A server that says in phase 2 what the test wants.
struct RawServer {
    World& world;
    PeerSession peer;
    crypto::TlsEngine tls;
    std::uint8_t identifier = 0;
    OuterTlvs outer;
    Tlvs heard;
    std::optional<Error> error; ///< the peer's

    explicit RawServer(World& from)
        : world(from),
          peer((from.peer.fragment_size = 4000, from.peer), from.peer_context(), from.verifier()),
          tls(*crypto::TlsEngine::start(from.server_context(), {}))
    {
        outer.server = encode({{false, tlv_type::kAuthorityId, {'t', 'e', 's', 't'}}});
        Frame start;
        start.start = true;
        start.outer_tlv_length = static_cast<std::uint32_t>(outer.server.size());
        start.data = outer.server;
        deliver(start);
        for (auto output = tls.take_output(); !tls.established() || !output.empty();
             output = tls.take_output()) {
            REQUIRE_FALSE(error);
            Frame frame;
            frame.data = output;
            deliver(frame);
        }
    }
    void deliver(const Frame& frame)
    {
        const EapPacket request{EapCode::request, ++identifier, eap_type::kTeap, frame.encode()};
        auto answer = peer.handle(request.encode());
        heard.clear();
        if (!answer) error = answer.error();
        const auto octets = answer ? *answer : peer.last_words();
        if (!octets) return;
        auto got = *parse_frame(parse_eap(*octets)->data);
        if (got.outer_tlv_length) {
            const auto tls_size = static_cast<std::ptrdiff_t>(got.data.size() - *got.outer_tlv_length);
            outer.peer.assign(got.data.begin() + tls_size, got.data.end());
            got.data.resize(static_cast<std::size_t>(tls_size));
        }
        REQUIRE(tls.feed(got.data));
        heard = *parse_tlvs(tls.take_data());
    }
    void say(const Tlvs& tlvs)
    {
        REQUIRE(tls.send(encode(tlvs)));
        Frame frame;
        frame.data = tls.take_output();
        deliver(frame);
    }
    Tlv binding()
    {
        auto keys =
            *KeySchedule::start(tls.version() == "TLSv1.3" ? Kdf::rfc9427 : Kdf::rfc7170,
                                tls.hash_is_sha384() ? Hash::sha384 : Hash::sha256,
                                [this](std::string_view label, std::optional<ByteView> context,
                                       std::size_t size) { return tls.export_key(label, context, size); });
        REQUIRE(keys.step({}, {}));
        return make_request(keys, outer, 1)->encode();
    }
    /// Proves the tunnel, as both ends have to.
    void bind()
    {
        say({binding(), result_tlv(Status::success)});
        REQUIRE(find(heard, tlv_type::kCryptoBinding) != nullptr);
    }
    /// The Error that the peer told, beside Result failure; 0: none.
    std::uint32_t told_error() const
    {
        const auto* tlv = find(heard, tlv_type::kError);
        const auto* result = find(heard, tlv_type::kResult);
        if (tlv == nullptr || result == nullptr || *parse_result(*result) != Status::failure) return 0;
        return *parse_error(*tlv);
    }
    bool accepted_by_peer()
    {
        static_cast<void>(peer.handle(EapPacket{EapCode::success, identifier, 0, {}}.encode()).has_value());
        return peer.result().accepted;
    }
};

} // namespace acmetool::teap_test
