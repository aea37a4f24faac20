#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <latch>
#include <memory>
#include <thread>

#include "crypto/digest.h"
#include "ra/password_check.h"

using namespace acmetool;
using Verdict = ra::PasswordCheck::Verdict;

namespace
{

enrol::Peer peer(const std::string& user, const std::string& password, const std::string& address)
{
    enrol::Peer made;
    made.user = user;
    made.password = base::Secret{password};
    made.address = address;
    return made;
}

ra::Users users()
{
    return *ra::parse_users("alice:$5$saltsalt$0IyaXrmV7.sGNS6tirgqHLqX/G.FBvgkYA.lpPdS5sA:a.example.com\n",
                            "users");
}

/// A check for which time passes only when a test says so: each wrong password costs a second.
struct PasswordScene {
    std::atomic<int> seconds{0};
    ra::PasswordCheck passwords{[this] {
        return ra::PasswordCheck::Clock::time_point{std::chrono::hours{1000} + std::chrono::seconds{seconds}};
    }};
};

/// Keeps all threads from the next password until `go`.
void hold(ra::PasswordCheck& passwords, const ra::Users& known, std::latch& go)
{
    const unsigned threads = std::max(1U, std::thread::hardware_concurrency() / 4);
    const auto held = std::make_shared<std::atomic<unsigned>>(0);
    for (unsigned i = 0; i < threads; ++i)
        passwords.check(known, peer("alice", "guess", "203.0.113." + std::to_string(i)),
                        [held, &go](Verdict) {
                            ++*held;
                            go.wait();
                        });
    while (*held < threads)
        std::this_thread::yield();
}

} // namespace

TEST_CASE("SEC-16: without users nobody's password is compared")
{
    ra::PasswordCheck passwords;
    passwords.stop();
    const auto caller = std::this_thread::get_id();
    unsigned answers = 0;
    passwords.check({}, peer("alice", "secret", "192.0.2.1"), [&](Verdict verdict) {
        ++answers;
        CHECK(verdict == Verdict::wrong);
        CHECK(std::this_thread::get_id() == caller);
    });
    CHECK(answers == 1);
}

TEST_CASE("SEC-16: passwords are compared on another thread, an address has half the places, and the queue "
          "is short")
{
    ra::PasswordCheck passwords;
    const auto known = users();
    std::latch go{1};
    std::atomic<unsigned> wrong{0};
    std::atomic<unsigned> turned_away{0};
    const auto caller = std::this_thread::get_id();
    hold(passwords, known, go);
    const auto ask = [&](const std::string& address, const std::string& user) {
        passwords.check(known, peer(user, "guess", address), [&](Verdict verdict) {
            if (verdict == Verdict::too_many) {
                ++turned_away;
                return;
            }
            CHECK(std::this_thread::get_id() != caller);
            go.wait();
            ++wrong;
        });
    };
    for (unsigned i = 0; i < 32; ++i)
        ask("192.0.2.1", i % 2 == 0 ? "alice" : "bob");
    CHECK(turned_away == 16);
    for (unsigned i = 0; i < 2 * 32 + std::thread::hardware_concurrency(); ++i)
        ask("198.51.100." + std::to_string(i), "alice");
    CHECK(turned_away >= 16 + 32);
    go.count_down();
    while (wrong == 0)
        std::this_thread::yield();
    passwords.stop();
    std::promise<Verdict> after;
    passwords.check(known, peer("alice", "secret", "203.0.113.1"),
                    [&](Verdict verdict) { after.set_value(verdict); });
    CHECK(after.get_future().get() == Verdict::too_many);
}

TEST_CASE(
    "SEC-16: after wrong passwords an address has four places, and after ten seconds' worth of them none")
{
    PasswordScene scene;
    auto& passwords = scene.passwords;
    const auto known = users();
    const auto verdict_of = [&](const std::string& address) {
        std::promise<Verdict> answer;
        passwords.check(known, peer("alice", "guess", address),
                        [&](Verdict verdict) { answer.set_value(verdict); });
        return answer.get_future().get();
    };
    for (int i = 0; i < 5; ++i)
        CHECK(verdict_of("2001:db8:0:1::1") == Verdict::wrong);
    std::latch go{1};
    std::atomic<unsigned> turned_away{0};
    hold(passwords, known, go);
    for (unsigned i = 0; i < 8; ++i)
        passwords.check(known, peer("alice", "guess", "2001:db8:0:1::" + std::to_string(i)),
                        [&](Verdict verdict) {
                            if (verdict == Verdict::too_many)
                                ++turned_away;
                            else
                                go.wait();
                        });
    CHECK(turned_away == 4); // one network of IPv6 is one address
    go.count_down();
    unsigned wrong = 0;
    while (wrong < 100 && verdict_of("192.0.2.1") == Verdict::wrong)
        ++wrong;
    CHECK(wrong == 11);
    CHECK(verdict_of("192.0.2.1") == Verdict::too_many);
    CHECK(verdict_of("2001:db8:0:2::1") == Verdict::wrong);
    scene.seconds = 1; // one more is looked at
    CHECK(verdict_of("192.0.2.1") == Verdict::wrong);
    CHECK(verdict_of("192.0.2.1") == Verdict::too_many);
    passwords.stop();
}

TEST_CASE("SEC-16: all addresses of one IPv6 site together have half of the places")
{
    ra::PasswordCheck passwords;
    const auto known = users();
    std::latch go{1};
    std::atomic<unsigned> turned_away{0};
    hold(passwords, known, go);
    const auto ask = [&](const std::string& address) {
        passwords.check(known, peer("alice", "guess", address), [&](Verdict verdict) {
            if (verdict == Verdict::too_many)
                ++turned_away;
            else
                go.wait();
        });
    };
    for (int i = 0; i < 30; ++i)
        ask("2001:db8:1:" + std::to_string(i) + "::1");
    CHECK(turned_away == 14);
    ask("2001:db8:2::1");
    ask("192.0.2.1");
    CHECK(turned_away == 14);
    go.count_down();
    passwords.stop();
}

namespace
{

/// The file's line for the password "secret", by both algorithms.
ra::DigestUsers digest_users()
{
    std::string text;
    for (const auto hash : {crypto::Hash::sha256, crypto::Hash::md5})
        text +=
            "alice:est:" + to_hex(*crypto::digest(hash, {as_bytes("alice:est:secret")})) + ":a.example.com\n";
    return *ra::parse_digest_users(text, "users", "est");
}

enrol::Peer digest_peer(const std::string& user, const std::string& password, const std::string& address,
                        crypto::Hash hash = crypto::Hash::sha256)
{
    enrol::Peer made;
    made.user = user;
    made.address = address;
    const auto secret = to_hex(*crypto::digest(hash, {as_bytes(user + ":est:" + password)}));
    made.digest = enrol::DigestLogin{
        hash, "rest", to_hex(*crypto::digest(hash, {as_bytes(secret + ":rest")})), [] { return true; }};
    return made;
}

} // namespace

TEST_CASE("ESTS-28, SEC-16: a Digest response is right or wrong at once; a repeated one is told apart, and "
          "wrong ones do "
          "not reach the nonces")
{
    ra::PasswordCheck passwords;
    const auto known = digest_users();
    for (const auto hash : {crypto::Hash::sha256, crypto::Hash::md5})
        CHECK(passwords.check_digest(known, digest_peer("alice", "secret", "192.0.2.1", hash)) ==
              Verdict::right);
    auto repeated = digest_peer("alice", "secret", "192.0.2.1");
    repeated.digest->spend = [] { return false; };
    CHECK(passwords.check_digest(known, repeated) == Verdict::used);
    auto wrong = digest_peer("alice", "guess", "192.0.2.2");
    wrong.digest->spend = [] {
        FAIL("a wrong response costs no memory");
        return true;
    };
    CHECK(passwords.check_digest(known, wrong) == Verdict::wrong);
    wrong.user = "bob";
    CHECK(passwords.check_digest(known, wrong) == Verdict::wrong);
    auto unhashed = known;
    unhashed["alice"].md5.clear();
    CHECK(passwords.check_digest(unhashed, digest_peer("alice", "secret", "192.0.2.2", crypto::Hash::md5)) ==
          Verdict::wrong);
    // A response to the hash that stands in for an absent one.
    CHECK(passwords.check_digest({}, digest_peer("alice", "secret", "192.0.2.1")) == Verdict::wrong);
}

TEST_CASE("SEC-16, FLD-E15: wrong Digest responses count for their address as wrong passwords do")
{
    PasswordScene scene;
    auto& passwords = scene.passwords;
    const auto known = digest_users();
    unsigned wrong = 0;
    while (wrong < 100 && passwords.check_digest(known, digest_peer(wrong % 2 == 0 ? "alice" : "bob", "guess",
                                                                    "192.0.2.1")) == Verdict::wrong)
        ++wrong;
    CHECK(wrong == 11);
    CHECK(passwords.check_digest(known, digest_peer("alice", "secret", "192.0.2.1")) == Verdict::too_many);
    std::promise<Verdict> basic;
    passwords.check(users(), peer("alice", "secret", "192.0.2.1"),
                    [&](Verdict verdict) { basic.set_value(verdict); });
    CHECK(basic.get_future().get() == Verdict::too_many);
    CHECK(passwords.check_digest(known, digest_peer("alice", "secret", "192.0.2.2")) == Verdict::right);
    // Without users nothing is compared or counted.
    for (int i = 0; i < 100; ++i)
        CHECK(passwords.check_digest({}, digest_peer("alice", "guess", "192.0.2.3")) == Verdict::wrong);
    passwords.stop();
}

TEST_CASE("SEC-16: a right password is found, and from then on at once")
{
    ra::PasswordCheck passwords;
    const auto known = users();
    std::promise<Verdict> first;
    passwords.check(known, peer("alice", "secret", "192.0.2.1"),
                    [&](Verdict verdict) { first.set_value(verdict); });
    CHECK(first.get_future().get() == Verdict::right);
    passwords.stop();
    Verdict second = Verdict::wrong;
    passwords.check(known, peer("alice", "secret", "192.0.2.9"), [&](Verdict verdict) { second = verdict; });
    CHECK(second == Verdict::right);
    passwords.check(known, peer("bob", "secret", "192.0.2.9"), [&](Verdict verdict) { second = verdict; });
    CHECK(second == Verdict::too_many);
}
