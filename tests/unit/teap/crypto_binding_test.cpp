#include <doctest/doctest.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>

#include "teap/crypto_binding.h"
#include "vectors.h"

using namespace acmetool;
using namespace acmetool::teap;

namespace
{

/// TLS 1.2: P_hash(master secret, label | client random | server random | context); without context here.
Exporter tls_1_2_exporter(const test::TeapVector& vector, Hash hash)
{
    return [&vector, hash](std::string_view label, std::optional<ByteView> context,
                           std::size_t size) -> Result<Bytes> {
        if (context) return fail(Errc::internal, "no context under TLS 1.2");
        auto seed = vector.bytes("tls_client_random");
        const auto server = vector.bytes("tls_server_random");
        seed.insert(seed.end(), server.begin(), server.end());
        return prf(hash, vector.bytes("tls_master_secret"), label, seed, size);
    };
}

Bytes expand_label(const EVP_MD* md, ByteView secret, std::string_view label, ByteView context,
                   std::size_t size)
{
    const std::string full = "tls13 " + std::string{label};
    Bytes info{static_cast<std::uint8_t>(size >> 8U), static_cast<std::uint8_t>(size),
               static_cast<std::uint8_t>(full.size())};
    info.insert(info.end(), full.begin(), full.end());
    info.push_back(static_cast<std::uint8_t>(context.size()));
    info.insert(info.end(), context.begin(), context.end());
    Bytes output(size);
    EVP_PKEY_CTX* kdf = EVP_PKEY_CTX_new_id(EVP_PKEY_HKDF, nullptr);
    EVP_PKEY_derive_init(kdf);
    EVP_PKEY_CTX_set_hkdf_mode(kdf, EVP_PKEY_HKDEF_MODE_EXPAND_ONLY);
    EVP_PKEY_CTX_set_hkdf_md(kdf, md);
    EVP_PKEY_CTX_set1_hkdf_key(kdf, secret.data(), static_cast<int>(secret.size()));
    EVP_PKEY_CTX_add1_hkdf_info(kdf, info.data(), static_cast<int>(info.size()));
    EVP_PKEY_derive(kdf, output.data(), &size);
    EVP_PKEY_CTX_free(kdf);
    return output;
}

Bytes digest_of(const EVP_MD* md, ByteView data)
{
    Bytes digest(static_cast<std::size_t>(EVP_MD_get_size(md)));
    EVP_Digest(data.data(), data.size(), digest.data(), nullptr, md, nullptr);
    return digest;
}

/// TLS 1.3 (RFC 8446 section 7.5): no context is an empty one.
Exporter tls_1_3_exporter(const test::TeapVector& vector, Hash hash)
{
    return [&vector, hash](std::string_view label, std::optional<ByteView> context,
                           std::size_t size) -> Result<Bytes> {
        const EVP_MD* md = hash == Hash::sha384 ? EVP_sha384() : EVP_sha256();
        const auto derived = expand_label(md, vector.bytes("exporter_secret"), label, digest_of(md, {}),
                                          static_cast<std::size_t>(EVP_MD_get_size(md)));
        return expand_label(md, derived, "exporter", digest_of(md, context.value_or(ByteView{})), size);
    };
}

KeySchedule schedule_of(const test::TeapVector& vector, Kdf kdf)
{
    const auto hash = vector.keys.at("prf_hash") == "sha384" ? Hash::sha384 : Hash::sha256;
    auto keys = KeySchedule::start(
        kdf, hash, vector.tls_1_3() ? tls_1_3_exporter(vector, hash) : tls_1_2_exporter(vector, hash));
    REQUIRE(keys);
    return std::move(*keys);
}

/// From the Start and the first message after it, as they were recorded: what the buffers end with.
OuterTlvs outer_of(const test::TeapVector& vector)
{
    const auto buffer = test::from_hex(vector.keys.at("compound_mac_buffers")[0].get<std::string>());
    const auto authority = test::from_hex("00010010101112131415161718191a1b1c1d1e1f");
    REQUIRE(buffer.size() >= 81 + authority.size());
    return {authority, {buffer.begin() + 81 + static_cast<std::ptrdiff_t>(authority.size()), buffer.end()}};
}

KeySchedule some_keys(std::uint8_t salt = 7)
{
    auto keys = KeySchedule::start(Kdf::rfc7170, Hash::sha256,
                                   [salt](std::string_view, std::optional<ByteView>,
                                          std::size_t size) -> Result<Bytes> { return Bytes(size, salt); });
    REQUIRE(keys);
    REQUIRE(keys->step({}, {}));
    return std::move(*keys);
}

} // namespace

TEST_CASE("TEAP-01b: seed, S-IMCK, CMK and MSK of every recorded conversation")
{
    ACMETOOL_TEAP_VECTORS(vectors);
    for (const auto& vector : vectors) {
        CAPTURE(vector.name);
        auto keys = schedule_of(vector, Kdf::rfc7170);
        CHECK(keys.session_key_seed() == vector.bytes("session_key_seed"));
        Bytes msk = vector.has("inner_msk") ? vector.bytes("inner_msk") : Bytes{};
        Bytes emsk = vector.has("inner_emsk") ? vector.bytes("inner_emsk") : Bytes{};
        const auto from = vector.keys.at("eap_msk_from")[0].get<std::string>();
        if (from == "S-IMCK[0]") {
            const auto before = keys.exported(MskSource::imck1, false);
            REQUIRE(before);
            CHECK(before->msk == vector.bytes("eap_msk"));
            CHECK(before->emsk == vector.bytes("eap_emsk"));
        }
        REQUIRE(keys.step(msk, emsk));
        CHECK(keys.s_imck(false) == vector.bytes("s_imck_msk"));
        CHECK(keys.cmk(false) == vector.bytes("cmk_msk"));
        CHECK(keys.has_emsk_chain() == !emsk.empty());
        if (!emsk.empty()) {
            CHECK(keys.s_imck(true) == vector.bytes("s_imck_emsk"));
            CHECK(keys.cmk(true) == vector.bytes("cmk_emsk"));
        }
        const auto exported =
            keys.exported(from == "S-IMCK[0]" ? MskSource::seed : MskSource::imck1, from == "S-IMCK_EMSK[1]");
        REQUIRE(exported);
        CHECK(exported->msk == vector.bytes("eap_msk"));
        CHECK(exported->emsk == vector.bytes("eap_emsk"));
    }
}

TEST_CASE("TEAP-01b: RFC 9427's keys for every recorded TLS 1.3 tunnel")
{
    ACMETOOL_TEAP_VECTORS(vectors);
    for (const auto& vector : vectors) {
        if (!vector.has("rfc9427_expected")) continue;
        CAPTURE(vector.name);
        const auto& expected = vector.keys.at("rfc9427_expected");
        const auto bytes = [&](const char* member) {
            return test::from_hex(expected.at(member).get<std::string>());
        };
        auto keys = schedule_of(vector, Kdf::rfc9427);
        CHECK(keys.session_key_seed() == bytes("session_key_seed"));
        REQUIRE(keys.step({}, {}));
        CHECK(keys.s_imck(false) == bytes("s_imck_1"));
        CHECK(keys.cmk(false) == bytes("cmk_1"));
        const auto exported = keys.exported(MskSource::imck1, false);
        REQUIRE(exported);
        CHECK(exported->msk == bytes("eap_msk"));
        CHECK(exported->emsk == bytes("eap_emsk"));
        const auto& macs = expected.at("compound_macs_over_recorded_buffers");
        for (std::size_t i = 0; i < macs.size(); ++i) {
            const auto buffer = test::from_hex(vector.keys.at("compound_mac_buffers")[i].get<std::string>());
            if (macs[i].is_string())
                CHECK(*keys.compound_mac(buffer, false) == test::from_hex(macs[i].get<std::string>()));
        }
    }
}

TEST_CASE("TEAP-01b: every recorded Crypto-Binding verifies, and is made anew to the octet")
{
    ACMETOOL_TEAP_VECTORS(vectors);
    for (const auto& vector : vectors) {
        CAPTURE(vector.name);
        const auto& recorded = vector.keys.at("crypto_binding");
        if (recorded.empty()) continue; // the fork sends none
        auto keys = schedule_of(vector, Kdf::rfc7170);
        REQUIRE(keys.step(vector.has("inner_msk") ? vector.bytes("inner_msk") : Bytes{},
                          vector.has("inner_emsk") ? vector.bytes("inner_emsk") : Bytes{}));
        const auto outer = outer_of(vector);
        std::vector<CryptoBinding> bindings;
        for (const auto& one : recorded) {
            const auto tlvs = parse_tlvs(test::from_hex(one.at("tlv").get<std::string>()));
            REQUIRE(tlvs);
            const auto binding = parse_crypto_binding(tlvs->front());
            REQUIRE(binding);
            CHECK(encode({binding->encode()}) == test::from_hex(one.at("tlv").get<std::string>()));
            CHECK(mac_buffer(*binding, outer) == test::from_hex(one.at("mac_buffer").get<std::string>()));
            bindings.push_back(*binding);
        }
        REQUIRE(bindings.size() == 2);
        CHECK(verify(bindings[0], keys, outer, 1, nullptr));
        CHECK(verify(bindings[1], keys, outer, 1, &bindings[0]));
        const auto response = make_response(keys, outer, bindings[0], 1);
        REQUIRE(response);
        CHECK(encode({response->encode()}) == encode({bindings[1].encode()}));
    }
}

TEST_CASE("TEAP-01b: a Crypto-Binding changed in any bit is refused")
{
    const auto keys = some_keys();
    const OuterTlvs outer{{0, 1, 0, 1, 9}, {0, 2, 0, 2, 0, 2}};
    const auto request = make_request(keys, outer, 1);
    REQUIRE(request);
    CHECK(verify(*request, keys, outer, 1, nullptr));
    const auto response = make_response(keys, outer, *request, 1);
    REQUIRE(response);
    CHECK(verify(*response, keys, outer, 1, &*request));
    const auto tlv = response->encode();
    for (std::size_t octet = 1; octet < tlv.value.size(); ++octet) { // the first one is reserved
        if (octet >= 36 && octet < 56) continue;                     // the EMSK MAC that is not there
        for (unsigned bit = 0; bit < 8; ++bit) {
            auto changed = tlv;
            changed.value[octet] ^= static_cast<std::uint8_t>(1U << bit);
            const auto parsed = parse_crypto_binding(changed);
            REQUIRE(parsed);
            if (octet == 3 && parsed->flags == 3) continue; // claims an EMSK MAC, too: covered by the MAC
            CAPTURE(octet);
            CHECK_FALSE(verify(*parsed, keys, outer, 1, &*request));
        }
    }
    CHECK_FALSE(verify(*response, some_keys(8), outer, 1, &*request));    // another tunnel
    CHECK_FALSE(verify(*response, keys, {{}, outer.peer}, 1, &*request)); // outer TLVs taken away
    CHECK_FALSE(verify(*response, keys, {outer.server, {}}, 1, &*request));
    CHECK_FALSE(verify(*response, keys, outer, 2, &*request)); // version rolled back
    CHECK_FALSE(verify(*request, keys, outer, 1, &*request));  // reflected
    const auto other = make_request(keys, outer, 1);
    CHECK_FALSE(verify(*response, keys, outer, 1, &*other)); // replayed
    CHECK_FALSE(parse_crypto_binding({true, tlv_type::kCryptoBinding, Bytes(75)}));
    CHECK_FALSE(parse_crypto_binding({true, tlv_type::kCryptoBinding, Bytes(77)}));
}
