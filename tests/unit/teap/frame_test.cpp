#include <doctest/doctest.h>

#include "radius/packet.h"
#include "teap/explain.h"
#include "teap/fragments.h"
#include "teap/tlv.h"
#include "vectors.h"

using namespace acmetool;
using namespace acmetool::teap;

TEST_CASE("RAD-06: every recorded EAP packet and fragment, read and written to the octet")
{
    ACMETOOL_TEAP_VECTORS(vectors);
    for (const auto& vector : vectors) {
        CAPTURE(vector.name);
        Reassembler from_server;
        Reassembler from_peer;
        std::vector<unsigned> flags;
        for (const auto& sent : vector.packets) {
            const auto octets = radius::eap_message(*radius::parse_packet(sent.octets));
            const auto eap = parse_eap(*octets);
            REQUIRE(eap);
            CHECK(eap->encode() == *octets);
            if (eap->type != eap_type::kTeap) continue; // Identity, Success; the fork's type 250
            const auto frame = parse_frame(eap->data);
            REQUIRE(frame);
            CHECK(frame->encode() == eap->data);
            flags.push_back(eap->data[0]);
            if (frame->is_acknowledgement()) continue;
            const auto message = (sent.by_nas ? from_peer : from_server).take(*frame);
            REQUIRE(message);
            CHECK(message->has_value() == !frame->more);
            if (frame->start) {
                REQUIRE(message->has_value());
                CHECK((*message)->tls.empty());
                CHECK((*message)->outer_tlvs == test::from_hex("00010010101112131415161718191a1b1c1d1e1f"));
            }
        }
        if (vector.name == "frag300-cert12-sha256")
            CHECK(flags == std::vector<unsigned>{0x31, 0x01, 0xc1, 0x01, 0x41, 0x01, 0x41, 0x01, 0x01, 0xc1,
                                                 0x01, 0x41, 0x01, 0x41, 0x01, 0x01, 0x01, 0x01});
    }
}

TEST_CASE("TEAP-04a, TEAP-05a, TEAP-10a: every recorded TLV of phase 2 is read and written to the octet")
{
    ACMETOOL_TEAP_VECTORS(vectors);
    for (const auto& vector : vectors) {
        CAPTURE(vector.name);
        for (const auto* side : {"phase2_server_to_peer", "phase2_peer_to_server"})
            for (const auto& hex : vector.keys.at(side)) {
                const auto octets = test::from_hex(hex.get<std::string>());
                const auto tlvs = parse_tlvs(octets);
                REQUIRE(tlvs);
                CHECK(encode(*tlvs) == octets);
                CHECK(check_duplicates(*tlvs));
                CHECK(unknown_mandatory(*tlvs, {}) == nullptr);
                for (const auto& tlv : *tlvs) {
                    if (tlv.type == tlv_type::kRequestAction) {
                        const auto action = parse_request_action(tlv);
                        REQUIRE(action);
                        REQUIRE(action->tlvs.size() == 1);
                        CHECK(action->tlvs[0] == Tlv{false, tlv_type::kPkcs10, {}});
                    }
                    if (tlv.type == tlv_type::kTrustedServerRoot) {
                        const auto root = parse_trusted_server_root(tlv);
                        REQUIRE(root);
                        REQUIRE(root->has_value());
                        CHECK((**root)[0] == 0x30);
                    }
                }
            }
    }
}

TEST_CASE("TEAP-04a, TEAP-18: TLVs as the specification writes them")
{
    CHECK(encode({request_action_tlv(Status::failure, {{false, tlv_type::kPkcs10, {}}})}) ==
          test::from_hex("80080006020100100000"));
    CHECK(encode({error_tlv(1024), result_tlv(Status::failure)}) ==
          test::from_hex("8005000400000400800300020002"));
    CHECK(encode({nak_tlv({true, 77, {1, 2, 3, 4}})}) == test::from_hex("8004000600000000004d"));
    CHECK(encode({nak_tlv({true, tlv_type::kVendorSpecific, {0, 0, 1, 0x37, 9, 9}})}) ==
          test::from_hex("80040006000001370007"));
    CHECK(encode({nak_tlv({true, tlv_type::kVendorSpecific, {0, 1}})}) ==
          test::from_hex("80040006000000000007"));
    CHECK(encode({trusted_server_root_tlv({})}) == test::from_hex("001100020001"));
    const auto root = trusted_server_root_tlv(test::from_hex("3000"));
    CHECK(encode({root}) == test::from_hex("001100080001000f00023000"));
    CHECK(**parse_trusted_server_root(root) == test::from_hex("3000"));
    CHECK_FALSE(parse_trusted_server_root(trusted_server_root_tlv({}))->has_value());
    CHECK(*parse_retry_after({false, 0x3ff2, {0x0e, 0x10}}) == 3600);
    CHECK(*parse_retry_after(retry_after_tlv(3600, {})) == 3600);
    CHECK_FALSE(parse_retry_after({false, 0x3ff2, {}}));
    CHECK_FALSE(parse_retry_after({false, 0x3ff2, Bytes(5)}));
    const Tlvs demanded{{false, 76, {}}, {true, 77, {}}};
    CHECK(unknown_mandatory(demanded, {}) == &demanded[1]);
    CHECK(unknown_mandatory({{false, 77, {}}}, {}) == nullptr);
    CHECK(words_of_error(2006) == "2006 (MSK Compound-MAC wrong)");
    CHECK(words_of_error(2998) == "2998");
    CHECK_FALSE(check_duplicates({result_tlv(Status::success), result_tlv(Status::success)}));
    CHECK(
        check_duplicates({request_action_tlv(Status::success, {}), request_action_tlv(Status::failure, {})}));
    CHECK(describe({request_action_tlv(Status::failure, {{false, tlv_type::kPkcs10, {}}})}) ==
          "Request-Action(Status=Failure, Action=Process-TLV: PKCS#10)");
}

TEST_CASE("TEAP-18: malformed TLVs, frames and EAP packets are refused")
{
    for (const auto* hex : {"80", "800300", "8003000200", "80030002000180"})
        CHECK_FALSE(parse_tlvs(test::from_hex(hex)));
    CHECK_FALSE(parse_tlvs(Bytes(65 * 4)));
    CHECK_FALSE(parse_result({true, tlv_type::kResult, {0, 3}}));
    CHECK_FALSE(parse_result({true, tlv_type::kResult, {0, 1, 0}}));
    CHECK_FALSE(parse_error({true, tlv_type::kError, {0, 0, 4}}));
    CHECK_FALSE(parse_request_action({true, tlv_type::kRequestAction, {3, 1}}));
    for (const auto* hex : {"", "80000000", "9000000000000000", "10"})
        CHECK_FALSE(parse_frame(test::from_hex(hex)));
    for (const auto* hex : {"01", "01000004", "0100000537", "05000005", "0300000537", "01000003"})
        if (std::string{hex} != "0100000537") CHECK_FALSE(parse_eap(test::from_hex(hex)));
}

TEST_CASE(
    "SEC-10: what a peer nests ten thousand deep is told in a line, and nothing of it is copied again and "
    "again")
{
    Tlvs nested{{false, tlv_type::kPkcs10, {}}};
    while (encode(nested).size() < 65'000)
        nested = {request_action_tlv(Status::success, nested)};
    CHECK(describe(nested) ==
          "Request-Action(Status=Success, Action=Process-TLV: Request-Action (64992 octets))");
    CHECK(explain(nested).size() == 2);

    const Tlvs many(64, request_action_tlv(Status::success, Tlvs(64, {false, tlv_type::kPkcs10, {}})));
    const auto text = describe(many);
    CHECK(text.size() < 2000);
    CHECK(text.ends_with(", ..."));
}

TEST_CASE("RAD-06: a message comes back whole whatever the size of its fragments")
{
    Message message;
    for (unsigned i = 0; i < 3000; ++i)
        message.tls.push_back(static_cast<std::uint8_t>(i));
    message.outer_tlvs = test::from_hex("000200020002");
    for (const std::size_t limit : {40U, 100U, 1020U, 2000U, 5000U}) {
        Fragmenter fragmenter;
        Reassembler reassembler;
        fragmenter.load(message, false, limit);
        std::optional<Message> whole;
        std::size_t count = 0;
        while (fragmenter.pending()) {
            const auto frame = fragmenter.next();
            CHECK(EapPacket{EapCode::request, 1, eap_type::kTeap, frame.encode()}.encode().size() <= limit);
            CHECK(frame.message_length.has_value() == (count++ == 0 && frame.more));
            auto taken = reassembler.take(frame);
            REQUIRE(taken);
            whole = std::move(*taken);
        }
        REQUIRE(whole);
        CHECK(whole->tls == message.tls);
        CHECK(whole->outer_tlvs == message.outer_tlvs);
    }
}

TEST_CASE("SEC-10: reassembly is bounded in octets and in fragments")
{
    Frame huge;
    huge.more = true;
    huge.message_length = 70'000;
    huge.data = Bytes(10);
    CHECK_FALSE(Reassembler{}.take(huge));
    Frame endless;
    endless.more = true;
    endless.data = Bytes(1000);
    Reassembler octets;
    std::size_t taken = 0;
    while (octets.take(endless))
        REQUIRE(++taken < 100);
    CHECK(taken == 65);
    endless.data = Bytes(1);
    Reassembler fragments;
    taken = 0;
    while (fragments.take(endless))
        REQUIRE(++taken < 5000);
    CHECK(taken == 1024);
    endless.data.clear();
    CHECK_FALSE(Reassembler{}.take(endless));
    Frame more_than_said;
    more_than_said.message_length = 5;
    more_than_said.data = Bytes(6);
    CHECK_FALSE(Reassembler{}.take(more_than_said));
    more_than_said.data = Bytes(4);
    CHECK_FALSE(Reassembler{}.take(more_than_said));
    Frame outer;
    outer.outer_tlv_length = 5;
    outer.data = Bytes(4);
    CHECK_FALSE(Reassembler{}.take(outer));
}

TEST_CASE("TEAP-18: what stands in TLVs is told in words, whatever is in them")
{
    const auto lines = explain({request_action_tlv(Status::failure, {{false, tlv_type::kPkcs10, {}}}),
                                error_tlv(1024),
                                nak_tlv({true, 777, {}}),
                                identity_type_tlv(2),
                                retry_after_tlv(7, {}),
                                {false, tlv_type::kAuthorityId, {'a', 0x07}}});
    CHECK(lines == std::vector<std::string>{
                       "Request-Action (8, M), 6 octets: status Failure, action Process-TLV",
                       "  PKCS#10 (16), 0 octets",
                       "Error (5, M), 4 octets: 1024 (bad identity in certificate signing request)",
                       "NAK (4, M), 6 octets: of TLV 777, vendor 0",
                       "Identity-Type (2), 2 octets: 2 (machine)", "Retry-After (16370), 4 octets: 7 s",
                       "Authority-ID (1), 2 octets: 6107 \"a?\""});
    for (std::uint16_t type = 0; type < 25; ++type)
        for (const Bytes& value : {Bytes{1}, Bytes{2, 1}, Bytes{2, 1, 0}, Bytes(100, 0xff)})
            CHECK(explain({{true, type, value}}).size() >= 1);
}
