#include <doctest/doctest.h>

#include "../teap/vectors.h"
#include "radius/packet.h"

using namespace acmetool;
using namespace acmetool::radius;

namespace
{

base::Secret secret()
{
    return base::Secret{"radius-secret"};
}

Authenticator numbered()
{
    Authenticator authenticator{};
    for (std::size_t i = 0; i < authenticator.size(); ++i)
        authenticator[i] = static_cast<std::uint8_t>(i);
    return authenticator;
}

} // namespace

TEST_CASE("RAD-01b, RAD-02b, RAD-03a: every recorded packet's authenticators and EAP-Message")
{
    ACMETOOL_TEAP_VECTORS(vectors);
    for (const auto& vector : vectors) {
        CAPTURE(vector.name);
        CHECK(vector.packets.size() == vector.keys.at("radius_packets").get<std::size_t>());
        Authenticator last{};
        for (const auto& sent : vector.packets) {
            const auto packet = parse_packet(sent.octets);
            REQUIRE(packet);
            if (sent.by_nas) last = packet->authenticator;
            CHECK(has_valid_message_authenticator(sent.octets, secret(), last));
            CHECK_FALSE(has_valid_message_authenticator(sent.octets, base::Secret{"other"}, last));
            if (!sent.by_nas) CHECK(has_valid_response_authenticator(sent.octets, secret(), last));
            const auto eap = eap_message(*packet);
            REQUIRE(eap);
            REQUIRE(eap->size() >= 4);
            CHECK(std::size_t{(*eap)[2]} * 256 + (*eap)[3] == eap->size());
            // Ours has the same attributes; only where hostapd puts the Message-Authenticator first, too, are
            // the octets the same.
            auto again =
                sent.by_nas ? encode_request(*packet, secret()) : encode_response(*packet, secret(), last);
            REQUIRE(again);
            CHECK(again->size() == sent.octets.size());
            if (sent.octets[20] == attribute::kMessageAuthenticator) CHECK(*again == sent.octets);
        }
    }
}

TEST_CASE("RAD-05a: the keys of every recorded Access-Accept are the two halves of the MSK")
{
    ACMETOOL_TEAP_VECTORS(vectors);
    for (const auto& vector : vectors) {
        CAPTURE(vector.name);
        const auto accept = parse_packet(vector.packets.back().octets);
        const auto request = parse_packet(vector.packets[vector.packets.size() - 2].octets);
        REQUIRE(accept);
        REQUIRE(accept->code == static_cast<std::uint8_t>(Code::access_accept));
        const auto keys = mppe_keys(*accept, secret(), request->authenticator);
        REQUIRE(keys);
        CHECK(keys->recv == vector.bytes("ms_mppe_recv_key"));
        CHECK(keys->send == vector.bytes("ms_mppe_send_key"));
        auto msk = keys->recv;
        msk.insert(msk.end(), keys->send.begin(), keys->send.end());
        CHECK(msk == vector.bytes("eap_msk"));
    }
}

TEST_CASE("RAD-05a: keys survive encryption and decryption, salts differ and have their first bit")
{
    Bytes msk;
    for (unsigned i = 0; i < 64; ++i)
        msk.push_back(static_cast<std::uint8_t>(i));
    Packet packet;
    REQUIRE(add_mppe_keys(packet, msk, secret(), numbered()));
    const auto keys = mppe_keys(packet, secret(), numbered());
    REQUIRE(keys);
    CHECK(keys->recv == Bytes(msk.begin(), msk.begin() + 32));
    CHECK(keys->send == Bytes(msk.begin() + 32, msk.end()));
    REQUIRE(packet.attributes.size() == 2);
    const auto salt = [&](std::size_t i) {
        return Bytes(packet.attributes[i].value.begin() + 6, packet.attributes[i].value.begin() + 8);
    };
    CHECK(salt(0) != salt(1));
    CHECK((salt(0)[0] & 0x80U) != 0);
    CHECK((salt(1)[0] & 0x80U) != 0);
    CHECK_FALSE(add_mppe_keys(packet, Bytes(63), secret(), numbered()));
}

TEST_CASE("RAD-02a: a Message-Authenticator that is missing, wrong, doubled or cut short is none")
{
    Packet packet;
    packet.code = static_cast<std::uint8_t>(Code::access_request);
    packet.authenticator = numbered();
    packet.add(attribute::kUserName, as_bytes("device"));
    add_eap_message(packet, as_bytes("\x02\x01\x00\x05\x01"));
    const auto good = encode_request(packet, secret());
    REQUIRE(good);
    CHECK((*good)[20] == attribute::kMessageAuthenticator);
    CHECK(has_valid_message_authenticator(*good, secret(), numbered()));
    for (std::size_t i = 0; i < good->size(); ++i) {
        auto changed = *good;
        changed[i] ^= 0x01U;
        if (i >= 4 && i < 20) continue; // the header's authenticator is given by the caller
        CHECK_FALSE(has_valid_message_authenticator(changed, secret(), numbered()));
    }
    const Bytes none(good->begin(), good->begin() + 20);
    auto bare = none;
    bare[2] = 0;
    bare[3] = 20;
    CHECK_FALSE(has_valid_message_authenticator(bare, secret(), numbered()));
    auto doubled = *good;
    doubled.insert(doubled.end(), good->begin() + 20, good->begin() + 38);
    doubled[3] = static_cast<std::uint8_t>(doubled.size());
    CHECK_FALSE(has_valid_message_authenticator(doubled, secret(), numbered()));
    auto padded = *good;
    padded.resize(padded.size() + 7);
    CHECK(has_valid_message_authenticator(padded, secret(), numbered()));
}

TEST_CASE("RAD-03a: packets that lie about their lengths are refused")
{
    const auto bad = [](Bytes octets) {
        const auto packet = parse_packet(octets);
        return !packet && packet.error().reason.word() == "radiusPacket";
    };
    CHECK(bad({}));
    CHECK(bad(Bytes(19)));
    Bytes header(20);
    header[3] = 19;
    CHECK(bad(header));
    header[3] = 21;
    CHECK(bad(header));
    header[2] = 0x10;
    header[3] = 0x01; // 4097
    Bytes long_one = header;
    long_one.resize(4097);
    CHECK(bad(long_one));
    Bytes attribute(24);
    attribute[3] = 24;
    attribute[20] = 1;
    for (const std::uint8_t length : {0, 1, 5}) {
        attribute[21] = length;
        CHECK(bad(attribute));
    }
    attribute[21] = 4;
    CHECK(parse_packet(attribute));
}

TEST_CASE("RAD-01a, RAD-01b: EAP-Message is split at 253 octets and joined where it is consecutive")
{
    Packet packet;
    Bytes eap(600);
    for (std::size_t i = 0; i < eap.size(); ++i)
        eap[i] = static_cast<std::uint8_t>(i);
    add_eap_message(packet, eap);
    REQUIRE(packet.attributes.size() == 3);
    CHECK(packet.attributes[0].value.size() == 253);
    CHECK(packet.attributes[2].value.size() == 600 - 2 * 253);
    CHECK(*eap_message(packet) == eap);
    packet.attributes.insert(packet.attributes.begin() + 1, {attribute::kUserName, {1}});
    CHECK_FALSE(eap_message(packet));
}
