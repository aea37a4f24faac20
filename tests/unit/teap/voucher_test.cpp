#include "world.h"

using namespace acmetool;
using namespace acmetool::teap_test;

namespace
{

/// Wants a voucher of every device, and gives what the test decided on.
class Registrar final : public enrol::VoucherAuthority
{
public:
    bool wants_voucher(const enrol::Peer&) const override { return true; }
    void request_voucher(enrol::VoucherRequest request,
                         std::function<void(enrol::VoucherDecision)> done) override
    {
        wait = request.wait;
        requests.push_back(std::move(request.request));
        done(decision);
    }
    void voucher_status(const enrol::Peer&, bool good, const std::string&) override
    {
        statuses.push_back(good);
    }

    enrol::VoucherDecision decision = enrol::VoucherGranted{{'v'}};
    std::vector<Bytes> requests;
    std::vector<bool> statuses;
    std::chrono::milliseconds wait{0};
};

struct Brski : World {
    Registrar registrar;
    std::string reason; ///< why the voucher is no good; empty: it is good

    Brski()
    {
        vouchers = &registrar;
        const auto other = self_signed("Another CA"); // the peer has no anchor for it
        radius = signed_by(other, "Another CA", "radius", "");
        peer.bootstrap = Bootstrap{
            [](const crypto::Certificate& server) -> Result<Bytes> { return server.sha256(); },
            [this](ByteView voucher, const std::vector<crypto::Certificate>& server) -> Result<void> {
                if (reason.empty() && as_text(voucher) == "v" &&
                    server.front().der() == radius.certificate.der())
                    return {};
                return fail(Errc::refused, "no good", {}, reason);
            }};
    }
    std::uint16_t request_type() const { return server->numbers.request_voucher; }
    std::uint16_t voucher_type() const { return server->numbers.voucher; }
    Tlv action() const
    {
        return request_action_tlv(Status::failure,
                                  {{false, request_type(), {}}, {false, tlv_type::kPkcs10, {}}});
    }
};

} // namespace

TEST_CASE("TBR-01a, TBR-02a, TBR-03b: a voucher for the server's certificate, then the enrolment; without "
          "one, none")
{
    for (const auto order : {Order::binding_first, Order::binding_last}) {
        Brski world;
        world.server->order = order;
        const auto done = talk(world);
        CHECK(done.outcome == Outcome::accept);
        CHECK(done.peer.accepted);
        CHECK(same_keys(done));
        CHECK(done.peer.certificate);
        CHECK_FALSE(done.peer.provisional);
        CHECK(world.registrar.requests == std::vector<Bytes>{world.radius.certificate.sha256()});
        CHECK(world.registrar.wait == world.server->hold);
        CHECK(world.registrar.statuses == std::vector<bool>{true});

        // The server thinks that the device is known well enough: the peer does not.
        world.vouchers = nullptr;
        world.peer.request_enrolment = true;
        const auto without = talk(world);
        CHECK(without.outcome == Outcome::reject);
        CHECK_FALSE(without.peer.accepted);
        CHECK(without.peer.provisional);
        CHECK(world.authority.enrolments == 1);
    }
}

TEST_CASE(
    "TBR-03c, TBR-11a: refusals of the registrar and its MASA end with the draft's errors, and nobody enrols")
{
    const BrskiNumbers numbers;
    const std::vector<std::pair<enrol::VoucherDecision, std::uint32_t>> table{
        {enrol::VoucherRefused{true, "away"}, numbers.masa_unavailable},
        {enrol::VoucherRefused{false, "no"}, numbers.masa_refused},
        {enrol::VoucherLater{std::chrono::seconds{9}}, numbers.masa_unavailable},
        {enrol::VoucherGranted{{}}, numbers.masa_refused},
        {enrol::VoucherGranted{Bytes(64U << 10U)}, numbers.masa_refused}};
    for (const auto& [decision, code] : table) {
        Brski world;
        world.registrar.decision = decision;
        const auto done = talk(world);
        CHECK(done.outcome == Outcome::reject);
        CHECK(done.peer.errors == std::vector<std::uint32_t>{code});
        CHECK(done.last.keys.msk.empty());
        CHECK(world.authority.enrolments == 0);
    }
    Brski nobody;
    nobody.shows_certificate = false;
    CHECK(talk(nobody).peer.errors == std::vector<std::uint32_t>{1019});
    CHECK(nobody.registrar.requests.empty());
    Brski foreign;
    foreign.asks_for = "other.example";
    CHECK(talk(foreign).peer.errors == std::vector<std::uint32_t>{1024});
}

TEST_CASE("TBR-04a, TBR-04b: a voucher that is no good, or not for this tunnel's server, ends with the "
          "draft's three errors")
{
    const BrskiNumbers numbers;
    const std::vector<std::pair<std::string, std::uint32_t>> table{{"signature", numbers.invalid_signature},
                                                                   {"registrar", numbers.invalid_tls_signer},
                                                                   {"nonce", numbers.invalid_voucher}};
    for (const auto& [reason, code] : table) {
        Brski world;
        world.reason = reason;
        const auto done = talk(world);
        CHECK(done.outcome != Outcome::accept);
        REQUIRE(done.peer_error);
        CHECK_FALSE(done.peer.accepted);
        CHECK(world.authority.enrolments == 0);

        RawServer server{world};
        server.bind();
        server.say({world.action()});
        server.say({{false, world.voucher_type(), {'v'}}});
        CHECK(server.told_error() == code);
        CHECK_FALSE(server.accepted_by_peer());
    }
}

TEST_CASE("TBR-01a, TBR-01b, TEAP-02a: a device that skips its voucher gets nothing, in either order")
{
    for (const auto order : {Order::binding_first, Order::binding_last}) {
        Brski world;
        world.server->order = order;
        const auto says = [&](const std::function<Tlvs(RawPeer&)>& words) {
            RawPeer peer{world};
            if (order == Order::binding_first)
                peer.say({peer.binding(), result_tlv(Status::success), peer.pkcs10(),
                          trusted_server_root_tlv({})});
            REQUIRE(find(peer.heard, tlv_type::kRequestAction) != nullptr);
            CHECK(find(peer.heard, tlv_type::kTrustedServerRoot) == nullptr);
            const auto action = *parse_request_action(*find(peer.heard, tlv_type::kRequestAction));
            CHECK(action.status == Status::failure);
            CHECK(action.tlvs == Tlvs{{false, world.request_type(), {}},
                                      trusted_server_root_tlv({}),
                                      {false, tlv_type::kCsrAttributes, {}},
                                      {false, tlv_type::kPkcs10, {}}});
            peer.say(words(peer));
            return peer.error();
        };
        CHECK(says([](RawPeer& peer) { return Tlvs{peer.pkcs10()}; }) == 2002);
        CHECK(says([](RawPeer&) { return Tlvs{result_tlv(Status::success)}; }) == 2002);
        CHECK(says([](RawPeer&) { return Tlvs{trusted_server_root_tlv({})}; }) == 2002);
        CHECK(says([&](RawPeer&) { return Tlvs{{false, world.request_type(), {}}}; }) == 2002);
        CHECK(says([&](RawPeer& peer) {
                  peer.say({{false, world.request_type(), {'r'}}}); // the voucher comes
                  return Tlvs{{false, tlv_type::kPkcs10, {}}};
              }) == 1025);
        CHECK(world.authority.enrolments == 0);
    }
}

TEST_CASE("TEAP-02b, TBR-02a: a server that nobody vouched for learns nothing but the voucher-request")
{
    Brski world;
    const auto unvouched = [&](const std::function<void(RawServer&)>& talk_on) {
        RawServer server{world};
        server.bind();
        talk_on(server);
        CHECK(find(server.heard, tlv_type::kPkcs10) == nullptr);
        CHECK_FALSE(server.accepted_by_peer());
        return server.told_error();
    };
    unvouched([](RawServer&) {});
    unvouched([](RawServer& server) {
        server.say({request_action_tlv(Status::success, {{false, tlv_type::kPkcs10, {}}})});
    });
    CHECK(unvouched([&](RawServer& server) { server.say({{false, world.voucher_type(), {'v'}}}); }) == 2002);
    CHECK(unvouched([](RawServer& server) {
              server.say({{false, tlv_type::kPkcs7, {0x30, 0x00}}, result_tlv(Status::success)});
          }) == 2002);
    unvouched([&](RawServer& server) {
        server.say({world.action()});
        REQUIRE(find(server.heard, world.request_type()) != nullptr);
        CHECK(server.heard.size() == 1);
        server.say({result_tlv(Status::success)}); // in the place of the voucher
    });
    // A second voucher after a good one is none that was asked for.
    RawServer server{world};
    server.bind();
    server.say({world.action()});
    server.say({{false, world.voucher_type(), {'v'}}});
    REQUIRE(find(server.heard, tlv_type::kPkcs10) != nullptr);
    server.say({{false, world.voucher_type(), {'v'}}});
    CHECK(server.told_error() == 2002);
    CHECK_FALSE(server.accepted_by_peer());
}

TEST_CASE(
    "FLD-R9: success in place of the voucher is answered with failure, and an EAP-Success is no success")
{
    Brski world;
    RawServer asked{world};
    asked.bind();
    asked.say({world.action()});
    asked.say({result_tlv(Status::success)});
    CHECK(asked.told_error() == 1010);
    REQUIRE(asked.error);
    CHECK(asked.error->reason.word() == "provisional");
    CHECK(asked.error->message.starts_with("nobody vouched for the server"));
    CHECK_FALSE(asked.accepted_by_peer());

    // A server that knows no vouchers: Crypto-Binding, Result, EAP-Success.
    RawServer plain{world};
    plain.bind();
    const auto end = plain.peer.handle(EapPacket{EapCode::success, 9, 0, {}}.encode());
    REQUIRE_FALSE(end);
    CHECK(end.error().reason.word() == "provisional");
    CHECK_FALSE(plain.peer.result().accepted);
}
