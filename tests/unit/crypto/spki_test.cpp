#include <doctest/doctest.h>

#include <openssl/x509.h>

#include "crypto/csr.h"
#include "crypto/openssl.h"
#include "crypto/request_info.h"
#include "crypto/request_parts.h"
#include "crypto/spki.h"
#include "odd_keys.h"

using namespace acmetool;

namespace
{

/// As OpenSSL reads it.
crypto::Key by_openssl(const Bytes& spki)
{
    const auto* data = spki.data();
    EVP_PKEY* const pkey = d2i_PUBKEY(nullptr, &data, static_cast<long>(spki.size()));
    REQUIRE(pkey != nullptr);
    return crypto::Key::adopt(pkey);
}

} // namespace

TEST_CASE("SubjectPublicKeyInfo: each type of key, in each form, is the key that OpenSSL reads")
{
    std::vector<crypto::Key> keys;
    for (const auto* type : {"ec:P-256", "ec:P-384", "ec:P-521", "rsa:2048", "ed25519"}) {
        const auto key = *crypto::generate_key(type);
        CHECK_MESSAGE(crypto::usual_spki(key).empty() == !std::string_view{type}.starts_with("ec:"), type);
        keys.push_back(key);
        if (!std::string_view{type}.starts_with("ec:")) continue;
        CHECK(crypto::usual_spki(key) == key.encoded_spki());
        CHECK(crypto::usual_spki(test::compressed(key)).empty());
        keys.push_back(test::compressed(key));
        keys.push_back(test::with_explicit_curve(key));
    }
    for (const auto& key : keys) {
        const auto der = key.encoded_spki();
        const auto read = crypto::read_spki(der);
        REQUIRE(read);
        const auto expected = by_openssl(der);
        CHECK(read->same_public_key(expected));
        CHECK(read->type() == expected.type());
        CHECK(read->encoded_spki() == der);
        CHECK(read->spki() == expected.spki());
        CHECK(read->has_explicit_curve() == expected.has_explicit_curve());
        CHECK_FALSE(read->has_private());
    }
}

TEST_CASE(
    "SubjectPublicKeyInfo: an RSA key with an octet changed, missing or added is what OpenSSL says it is")
{
    const auto good = crypto::generate_key("rsa:2048")->encoded_spki();
    const auto compare = [](const Bytes& octets) {
        const auto* data = octets.data();
        EVP_PKEY* const pkey = d2i_PUBKEY(nullptr, &data, static_cast<long>(octets.size()));
        const bool expected = pkey != nullptr && data == octets.data() + octets.size();
        const auto read = crypto::read_spki(octets);
        CHECK(static_cast<bool>(read) == expected);
        if (read && pkey != nullptr) CHECK(EVP_PKEY_eq(read->get(), pkey) == 1);
        EVP_PKEY_free(pkey);
    };
    constexpr std::size_t kHead = 40;
    for (std::size_t at = 0; at < good.size(); ++at) {
        if (at >= kHead && at + 8 < good.size()) continue; // of the modulus
        for (const unsigned bit : {0x01U, 0x02U, 0x80U}) {
            CAPTURE(at);
            CAPTURE(bit);
            auto changed = good;
            changed[at] = static_cast<std::uint8_t>(changed[at] ^ bit);
            compare(changed);
        }
    }
    compare({good.begin(), good.end() - 1});
    auto longer = good;
    longer.push_back(0);
    compare(longer);
}

TEST_CASE("SubjectPublicKeyInfo: a point beside its curve, too short or too long is no key")
{
    for (const auto* type : {"ec:P-256", "ec:P-384", "ec:P-521"}) {
        const auto good = crypto::generate_key(type)->encoded_spki();
        auto beside = good;
        beside.back() ^= 1U;
        CHECK_FALSE(crypto::read_spki(beside));
        CHECK_FALSE(crypto::read_spki(ByteView{good}.first(good.size() - 1)));
        auto longer = good;
        longer.push_back(0);
        const auto refused = crypto::read_spki(longer);
        REQUIRE_FALSE(refused);
        CHECK(refused.error().code == Errc::bad_input);
    }
}

TEST_CASE("a request with each type of key: its key and its proof of possession, without and with a change")
{
    for (const auto* type : {"ec:P-256", "ec:P-384", "ec:P-521", "rsa:2048", "ed25519"}) {
        const auto key = *crypto::generate_key(type);
        const auto csr =
            crypto::build_csr(key, {.identifiers = {{"dns", "a.example"}}, .common_name = "a.example"});
        REQUIRE(csr);
        const auto* data = csr->der.data();
        const crypto::ReqPtr request{d2i_X509_REQ(nullptr, &data, static_cast<long>(csr->der.size()))};
        REQUIRE(request);
        CHECK(X509_REQ_verify(request.get(), key.get()) == 1);
        CHECK(csr->key.same_public_key(key));
        CHECK(crypto::requested_key(csr->der)->same_public_key(key));
        CHECK(csr->common_name == "a.example");

        const auto reason_of = [](const Bytes& der) {
            const auto refused = crypto::parse_csr(as_text(der));
            return refused ? std::string{} : std::string{refused.error().reason.word()};
        };
        const auto parts = *crypto::read_request_parts(csr->der);
        const auto at = [&](ByteView part) {
            return static_cast<std::size_t>(part.data() - csr->der.data());
        };
        auto changed = csr->der;
        changed[at(parts.subject) + parts.subject.size() - 1] ^= 1U;
        CHECK_MESSAGE(reason_of(changed) == "csrSignature", type);
        changed = csr->der;
        changed.back() ^= 1U;
        CHECK_MESSAGE(reason_of(changed) == "csrSignature", type);
        changed = csr->der;
        changed[at(parts.key) + 4] ^= 1U; // its algorithm is none
        CHECK_MESSAGE(reason_of(changed) == "notACsr", type);
        CHECK(reason_of(Bytes{csr->der.begin(), csr->der.end() - 1}) == "notACsr");
    }
}
