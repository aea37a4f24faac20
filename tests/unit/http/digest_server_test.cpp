#include <doctest/doctest.h>

#include "http/authentication.h"
#include "http/digest_server.h"

using namespace acmetool;
using namespace std::chrono_literals;

namespace
{

using Time = http::DigestNonces::Time;

http::Headers authorization(std::string value)
{
    return {{"authorization", std::move(value)}};
}

/// Nonces whose time passes only when a test says so.
struct DigestScene {
    Time time{1000h};
    http::DigestNonces nonces;

    explicit DigestScene(std::size_t most = 10'000) : nonces{60s, most, [this] { return time; }} {}
};

} // namespace

TEST_CASE("ESTS-28: the response of RFC 7616 section 3.9.1 is that to H(A1), by SHA-256 and MD5")
{
    const std::string nonce = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v";
    const http::DigestOptions options{"http-auth@example.org", true, 60s};
    const http::Credentials mufasa{"Mufasa", base::Secret{"Circle of Life"}, http::AuthScheme::any};
    for (const auto* algorithm : {"SHA-256", "MD5"}) {
        const http::Challenge challenge{
            http::AuthScheme::digest, options.realm, nonce, "", algorithm, true, false};
        const auto sent = *http::answer(
            challenge, mufasa, {"GET", "/dir/index.html", "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", 1});
        const auto read = http::parse_digest(authorization(sent), "GET", "/dir/index.html", options);
        REQUIRE(read);
        CHECK(read->user == "Mufasa");
        CHECK(read->nonce == nonce);
        CHECK(read->count == 1);
        const std::string a1 = "Mufasa:http-auth@example.org:Circle of Life";
        const auto secret = to_hex(*crypto::digest(read->algorithm, {as_bytes(a1)}));
        CHECK(to_hex(*crypto::digest(read->algorithm, {as_bytes(secret + ":" + read->rest)})) ==
              read->response);
        CHECK(read->response == (read->algorithm == crypto::Hash::md5
                                     ? "8ca523f5e9506fed4657c9700eebdbec"
                                     : "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"));
        CHECK_FALSE(http::parse_digest(authorization(sent), "POST", "/other", options));
    }
}

TEST_CASE("ESTS-28: what is no response to our challenge is not read")
{
    const http::DigestOptions options{"est", false, 60s};
    const std::string good = R"(Digest username="joe", realm="est", nonce="n", uri="/x", algorithm=SHA-256, )"
                             R"(qop=auth, nc=00000001, cnonce="c", response="0A")";
    const auto read = [&](const std::string& text) {
        return http::parse_digest(authorization(text), "GET", "/x", options);
    };
    const auto without = [&](const std::string& from, const std::string& to) {
        auto text = good;
        const auto at = text.find(from);
        REQUIRE(at != std::string::npos);
        return text.replace(at, from.size(), to);
    };
    REQUIRE(read(good));
    CHECK(read(good)->response == "0a");
    CHECK(read(without("\"joe\"", R"("j\"o\\e")"))->user == R"(j"o\e)");
    CHECK(read(without("\"/x\"", "\"https://ra.example/x\"")));
    CHECK(read(without("qop=auth", "qop=\"auth\"")));
    for (const auto& [from, to] : std::vector<std::pair<std::string, std::string>>{
             {"Digest ", "Basic "},
             {"username=\"joe\", ", ""},
             {"\"joe\"", "\"\""},
             {"\"est\"", "\"other\""},
             {"uri=\"/x\", ", ""},
             {"\"/x\"", "\"/y\""},
             {"\"/x\"", "\"https://ra.example\""},
             {"algorithm=SHA-256, ", ""},
             {"SHA-256", "MD5"},
             {"SHA-256", "SHA-256-sess"},
             {"qop=auth, ", ""},
             {"qop=auth", "qop=auth-int"},
             {"nc=00000001, ", ""},
             {"nc=00000001", "nc=1"},
             {"nc=00000001", "nc=0000000x"},
             {"nc=00000001", "nc=-0000001"},
             {"cnonce=\"c\", ", ""},
             {"qop=auth", "qop=auth, qop=auth"},
             {"qop=auth", "qop=auth, userhash=true"},
             {"qop=auth", "qop"},
         })
        CHECK_FALSE_MESSAGE(read(without(from, to)), from, " -> ", to);
    CHECK_FALSE(http::parse_digest({}, "GET", "/x", options));
    CHECK_FALSE(http::uses_digest({}));
    CHECK(http::uses_digest(authorization("digest ")));
}

TEST_CASE("FLD-E15, ESTS-28: a nonce is current for its lifetime, in the process that issued it, unchanged")
{
    DigestScene scene;
    const auto nonce = scene.nonces.issue();
    CHECK(scene.nonces.is_current(nonce));
    CHECK(scene.nonces.issue() != nonce);
    CHECK_FALSE(DigestScene{}.nonces.is_current(nonce));
    for (std::size_t i = 0; i < nonce.size(); ++i) {
        auto other = nonce;
        other[i] = other[i] == 'A' ? 'B' : 'A';
        CHECK_FALSE(scene.nonces.is_current(other));
    }
    for (const auto* junk : {"", "x", "=", "AAAA"})
        CHECK_FALSE(scene.nonces.is_current(junk));
    scene.time += 59s;
    CHECK(scene.nonces.is_current(nonce));
    CHECK(scene.nonces.spend(nonce, 1));
    scene.time += 1s;
    CHECK_FALSE(scene.nonces.is_current(nonce));
    CHECK_FALSE(scene.nonces.spend(nonce, 2));
}

TEST_CASE("FLD-E15, ESTS-28: each count is used once; requests may overtake each other by 63")
{
    DigestScene scene;
    const auto nonce = scene.nonces.issue();
    CHECK_FALSE(scene.nonces.spend(nonce, 0));
    CHECK(scene.nonces.spend(nonce, 1));
    CHECK_FALSE(scene.nonces.spend(nonce, 1));
    CHECK(scene.nonces.spend(nonce, 64));
    CHECK(scene.nonces.spend(nonce, 2));
    CHECK_FALSE(scene.nonces.spend(nonce, 2));
    CHECK_FALSE(scene.nonces.spend(nonce, 1));
    CHECK(scene.nonces.spend(nonce, 68));
    CHECK_FALSE(scene.nonces.spend(nonce, 64));
    CHECK_FALSE(scene.nonces.spend(nonce, 4));
    CHECK(scene.nonces.spend(nonce, 5));
    CHECK(scene.nonces.spend(nonce, 0xffffffff));
    CHECK_FALSE(scene.nonces.spend(nonce, 0xffffffff));
    CHECK_FALSE(scene.nonces.spend(nonce, 68));
    CHECK(scene.nonces.spend(scene.nonces.issue(), 1));
}

TEST_CASE("FLD-E15, SEC-10: a table of nonces in use that is full forgets the oldest, which is stale and not "
          "free again")
{
    DigestScene scene{3};
    std::vector<std::string> nonces;
    for (int i = 0; i < 5; ++i) {
        nonces.push_back(scene.nonces.issue());
        scene.time += 1s;
    }
    for (int i = 1; i < 5; ++i)
        CHECK(scene.nonces.spend(nonces[static_cast<std::size_t>(i)], 1));
    CHECK_FALSE(scene.nonces.is_current(nonces[0])); // older than the one that was forgotten
    CHECK_FALSE(scene.nonces.is_current(nonces[1]));
    CHECK_FALSE(scene.nonces.spend(nonces[1], 1));
    CHECK_FALSE(scene.nonces.spend(nonces[1], 2));
    CHECK_FALSE(scene.nonces.spend(nonces[2], 1));
    CHECK(scene.nonces.spend(nonces[2], 2));
    // Those that expired make room.
    scene.time += 58s;
    const auto fresh = scene.nonces.issue();
    CHECK(scene.nonces.spend(fresh, 1));
    CHECK(scene.nonces.spend(nonces[4], 2));
}

TEST_CASE("ESTS-28: the challenges name SHA-256 first, and MD5 where it is permitted; a client answers them")
{
    http::Headers headers;
    http::add_digest_challenges(headers, {"est", true, 60s}, "abc", true);
    REQUIRE(headers.size() == 2);
    CHECK(headers[0].second ==
          R"(Digest realm="est", qop="auth", algorithm=SHA-256, nonce="abc", stale=true)");
    CHECK(headers[1].second == R"(Digest realm="est", qop="auth", algorithm=MD5, nonce="abc", stale=true)");
    headers.clear();
    http::add_digest_challenges(headers, {"est", true, 60s, true}, "abc", false);
    REQUIRE(headers.size() == 2);
    CHECK(headers[0].second == R"(Digest realm="est", qop="auth", algorithm=MD5, nonce="abc")");
    CHECK(headers[1].second == R"(Digest realm="est", qop="auth", algorithm=SHA-256, nonce="abc")");
    headers.clear();
    http::add_digest_challenges(headers, {"est", false, 60s}, "abc", false);
    REQUIRE(headers.size() == 1);
    CHECK(http::choose_challenge({{"www-authenticate", headers[0].second}}, http::AuthScheme::any)->nonce ==
          "abc");
    CHECK(headers[0].second.find("stale") == std::string::npos);
}
