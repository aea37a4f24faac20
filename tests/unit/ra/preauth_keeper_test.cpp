#include "ra/preauth_keeper.h"

#include <atomic>
#include <condition_variable>
#include <future>
#include <mutex>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

using namespace acmetool;
using namespace std::chrono_literals;
using ra::PreauthKeeper;
using Steady = std::chrono::steady_clock;

namespace
{

/// Keeps what it is told.
class HostDouble final : public ra::IssuerHost
{
public:
    Result<Bytes> csr(const std::string&) override { return Bytes{}; }
    bool holds_order(const std::string&) override { return false; }
    void placed(const ra::IssuerOrder&, std::function<void(bool)>) override {}
    bool lease(const std::string&, std::chrono::seconds) override { return true; }
    void held(const std::string&, std::chrono::seconds) override {}
    void issued(const std::string&, std::vector<crypto::Certificate>) override {}
    void failed(const std::string&, Error, bool) override {}
    void deferred(const std::string&, std::chrono::seconds) override {}
    void event(base::Json event) override
    {
        const std::lock_guard lock{mutex_};
        events_.push_back(std::move(event));
    }
    bool traces() const override { return true; }
    void message(base::Message message) override
    {
        const std::lock_guard lock{mutex_};
        messages_.push_back(std::move(message));
    }
    std::vector<base::Json> events()
    {
        const std::lock_guard lock{mutex_};
        return events_;
    }
    std::vector<base::Message> messages()
    {
        const std::lock_guard lock{mutex_};
        return messages_;
    }

private:
    std::mutex mutex_;
    std::vector<base::Json> events_;
    std::vector<base::Message> messages_;
};

/// What the prover of one domain does, and what it was asked for; outlives it.
struct Board {
    /// An answer, or an error. Empty: valid for a day. The number counts the calls from 1.
    std::function<Result<acme::PreAuthorization>(unsigned call, base::Context&)> obtain;
    std::function<Result<void>(const ra::OrderedProof&, base::Context&)> fulfil; ///< empty: succeeds

    std::mutex mutex;
    std::condition_variable changed;
    std::vector<Steady::time_point> obtained; ///< when each call came
    std::vector<ra::OrderedProof> fulfilled;  ///< in the order of the calls
    int inside = 0;
    bool overlapped = false; ///< there were two calls at once

    std::size_t count()
    {
        const std::lock_guard lock{mutex};
        return obtained.size();
    }
    bool wait_for(std::size_t calls)
    {
        std::unique_lock lock{mutex};
        return changed.wait_for(lock, 120s, [&] { return obtained.size() >= calls; });
    }
};

/// The test's clock, in seconds.
struct Clock {
    std::shared_ptr<std::atomic<std::int64_t>> seconds =
        std::make_shared<std::atomic<std::int64_t>>(1'795'478'325);
    base::TimePoint now() const { return base::TimePoint{std::chrono::seconds{seconds->load()}}; }
};

acme::PreAuthorization valid_for(std::chrono::seconds life, base::TimePoint obtained)
{
    acme::PreAuthorization preauth;
    preauth.authorization.identifier = "domain.com";
    preauth.authorization.status = "valid";
    preauth.authorization.subdomain_auth_allowed = true;
    preauth.authorization.expires = obtained + life;
    preauth.subdomains_asked = true;
    preauth.obtained = obtained;
    return preauth;
}

class ProverDouble final : public ra::DomainProver
{
public:
    ProverDouble(std::shared_ptr<Board> board, Clock clock)
        : board_(std::move(board)), clock_(std::move(clock))
    {
    }
    Result<acme::PreAuthorization> obtain(base::Context& context) override
    {
        unsigned call = 0;
        {
            const std::lock_guard lock{board_->mutex};
            board_->obtained.push_back(Steady::now());
            call = static_cast<unsigned>(board_->obtained.size());
        }
        board_->changed.notify_all();
        const Inside inside{*board_};
        if (board_->obtain) return board_->obtain(call, context);
        return valid_for(24h, clock_.now());
    }
    Result<void> fulfil(const ra::OrderedProof& proof, base::Context& context) override
    {
        const Inside inside{*board_};
        {
            const std::lock_guard lock{board_->mutex};
            board_->fulfilled.push_back(proof);
        }
        return board_->fulfil ? board_->fulfil(proof, context) : Result<void>{};
    }

private:
    struct Inside {
        explicit Inside(Board& the_board) : board(the_board)
        {
            const std::lock_guard lock{board.mutex};
            if (++board.inside > 1) board.overlapped = true;
        }
        ~Inside()
        {
            const std::lock_guard lock{board.mutex};
            --board.inside;
        }
        Inside(const Inside&) = delete;
        Inside& operator=(const Inside&) = delete;
        Board& board;
    };
    std::shared_ptr<Board> board_;
    Clock clock_;
};

struct KeeperLab {
    HostDouble host;
    Clock clock;
    PreauthKeeper::Pace pace{20ms, 50ms, 20ms, 1h};
    std::vector<PreauthKeeper::Domain> domains;
    std::unique_ptr<PreauthKeeper> keeper; ///< destroyed first

    std::shared_ptr<Board> add(const std::string& name,
                               std::optional<acme::PreAuthorization> known = std::nullopt)
    {
        auto board = std::make_shared<Board>();
        PreauthKeeper::Domain domain;
        domain.options.name = name;
        domain.options.renew_before.fixed = 10s;
        domain.prover = std::make_unique<ProverDouble>(board, clock);
        domain.known = std::move(known);
        domains.push_back(std::move(domain));
        return board;
    }
    void start()
    {
        keeper =
            std::make_unique<PreauthKeeper>(std::move(domains), pace, [time = clock] { return time.now(); });
        keeper->start(host);
    }
    std::future<Result<void>> when_ready(const std::string& domain,
                                         const std::string& request_id = "r1") const
    {
        auto told = std::make_shared<std::promise<Result<void>>>();
        auto future = told->get_future();
        keeper->when_ready(domain, request_id,
                           [told](Result<void> ready) { told->set_value(std::move(ready)); });
        return future;
    }
    std::future<Result<void>> fulfil(const std::string& domain, const std::string& url,
                                     const std::string& request_id = "r1") const
    {
        auto told = std::make_shared<std::promise<Result<void>>>();
        auto future = told->get_future();
        keeper->fulfil(domain, {{{"dns", "a." + domain}}, {url}}, request_id,
                       [told](Result<void> done) { told->set_value(std::move(done)); });
        return future;
    }
    std::vector<std::string> texts()
    {
        std::vector<std::string> all;
        for (const auto& event : host.events()) {
            CHECK(event.at("event") == "authorization");
            all.push_back(
                event.at("level").get<std::string>() + " " + event.at("domain").get<std::string>() + " " +
                (event.contains("text") ? event.at("text") : event.at("status")).get<std::string>());
        }
        return all;
    }
};

Result<acme::PreAuthorization> no_answer()
{
    return fail(Errc::unavailable, "the CA does not answer");
}

using Texts = std::vector<std::string>;

} // namespace

TEST_CASE("A pre-authorization of an earlier run that is fresh is not obtained again; one near its end is")
{
    KeeperLab lab;
    const auto fresh = lab.add("fresh.com", valid_for(24h, lab.clock.now()));
    const auto ending = lab.add("ending.com", valid_for(14s, lab.clock.now())); // due in four seconds
    const auto ended = lab.add("ended.com", valid_for(-1s, lab.clock.now()));
    const auto begun = Steady::now();
    lab.start();
    CHECK(lab.when_ready("fresh.com").get());
    CHECK(lab.when_ready("ending.com").get()); // it is good until it ends
    CHECK(lab.when_ready("ended.com").get());
    CHECK(ending->count() == 0);
    CHECK(ended->count() == 1);
    REQUIRE(ending->wait_for(1));
    CHECK(ending->obtained[0] - begun >= 3900ms);
    CHECK(fresh->count() == 0);
    auto texts = lab.texts();
    REQUIRE(texts.size() >= 3);
    CHECK(texts[0] == "info ending.com obtained in an earlier run");
    CHECK(texts[1] == "info fresh.com obtained in an earlier run");
    CHECK(texts[2] == "info ended.com valid");
    const auto status = lab.keeper->status();
    CHECK(status.at("fresh.com").at("status") == "valid");
    CHECK(status.at("fresh.com").at("expires") == base::to_rfc3339(lab.clock.now() + 24h));
}

TEST_CASE("A CA whose authorizations live for seconds is asked no faster than the pace says")
{
    KeeperLab lab;
    lab.pace.soonest = 50ms;
    const auto board = lab.add("domain.com");
    board->obtain = [&](unsigned, base::Context&) { return valid_for(1s, lab.clock.now()); };
    lab.start();
    REQUIRE(board->wait_for(4));
    lab.keeper.reset();
    for (std::size_t i = 1; i < board->obtained.size(); ++i)
        CHECK(board->obtained[i] - board->obtained[i - 1] >= 50ms);
}

TEST_CASE("A failure is tried again, later each time up to a limit, and is the answer to orders meanwhile")
{
    KeeperLab lab;
    const auto board = lab.add("domain.com");
    board->obtain = [&](unsigned call, base::Context&) {
        return call < 5 ? no_answer() : valid_for(24h, lab.clock.now());
    };
    lab.start();
    const auto waited = lab.when_ready("domain.com").get();
    // It may have come after a later failure, or wait for the first.
    if (!waited) {
        CHECK(waited.error().code == Errc::unavailable);
        CHECK(waited.error().message == "pre-authorization of domain.com: the CA does not answer");
        CHECK(waited.error().retry_after == 1s);
    }
    REQUIRE(board->wait_for(5));
    while (!lab.when_ready("domain.com").get())
        std::this_thread::yield(); // until the fifth is taken
    const auto& at = board->obtained;
    CHECK(at[1] - at[0] >= 20ms);
    CHECK(at[2] - at[1] >= 40ms);
    CHECK(at[3] - at[2] >= 50ms);
    CHECK(at[4] - at[3] >= 50ms);
    CHECK(board->count() == 5);
    const auto failed = "warning domain.com the CA does not answer";
    CHECK(lab.texts() == Texts{failed, failed, failed, failed, "info domain.com valid"});
    CHECK_FALSE(lab.keeper->status().at("domain.com").contains("error"));
}

TEST_CASE("The CA's retry_after is waited for")
{
    KeeperLab lab;
    const auto board = lab.add("domain.com");
    board->obtain = [](unsigned, base::Context&) {
        auto failure = no_answer();
        failure.error().retry_after = 3600s;
        return failure;
    };
    lab.start();
    REQUIRE(board->wait_for(1));
    Result<void> waited = lab.when_ready("domain.com").get();
    REQUIRE_FALSE(waited);
    CHECK(waited.error().retry_after == 3600s);
    std::this_thread::sleep_for(100ms); // the pace alone would try again after 20
    CHECK(board->count() == 1);
    CHECK(lab.keeper->status().at("domain.com").at("error") ==
          "pre-authorization of domain.com: the CA does not answer");
}

TEST_CASE("A domain whose solver hangs holds up no other, and the end of the keeper ends its wait at once")
{
    KeeperLab lab;
    const auto hanging = lab.add("hanging.com");
    const auto good = lab.add("good.com");
    hanging->obtain = [](unsigned, base::Context& context) -> Result<acme::PreAuthorization> {
        ACMETOOL_CHECK(context.sleep(1h, {"the DNS", context.steady_now(), {}}));
        return fail(Errc::internal, "it did not hang");
    };
    lab.start();
    REQUIRE(hanging->wait_for(1));
    auto waiting = lab.when_ready("hanging.com");
    auto order = lab.fulfil("hanging.com", "https://ca.example/authz/1");
    CHECK(lab.when_ready("good.com").get());
    CHECK(lab.fulfil("good.com", "https://ca.example/authz/2").get());
    CHECK(good->fulfilled.size() == 1);
    CHECK(lab.keeper->status().at("hanging.com").at("waiting") == 1);
    const auto begun = Steady::now();
    lab.keeper.reset();
    CHECK(Steady::now() - begun < 5min);
    for (auto* future : {&waiting, &order}) {
        REQUIRE(future->wait_for(0s) == std::future_status::ready);
        const auto told = future->get();
        REQUIRE_FALSE(told);
        CHECK(told.error().code == Errc::interrupted);
    }
    CHECK(hanging->fulfilled.empty());
}

TEST_CASE(
    "Orders' authorizations reach the prover one after the other, with the request's id on its messages")
{
    KeeperLab lab;
    const auto board = lab.add("domain.com", valid_for(24h, lab.clock.now()));
    std::promise<void> go;
    auto gone = go.get_future().share();
    board->fulfil = [&, gone](const ra::OrderedProof& proof, base::Context& context) -> Result<void> {
        gone.wait();
        base::Message message;
        message.label = proof.authorizations.front();
        context.message(message);
        context.log(base::Level::warning, "slow");
        context.log(base::Level::detail, "not for the log");
        if (proof.authorizations.front() == "2") return fail(Errc::refused, "no", {}, "validationFailed");
        return {};
    };
    lab.start();
    std::vector<std::future<Result<void>>> all;
    for (const auto* url : {"1", "2", "3"})
        all.push_back(lab.fulfil("domain.com", url, std::string{"request-"} + url));
    go.set_value();
    CHECK(all[0].get());
    const auto refused = all[1].get();
    REQUIRE_FALSE(refused);
    CHECK(refused.error().reason == Cause::validation_failed);
    CHECK(all[2].get());
    lab.keeper.reset();
    REQUIRE(board->fulfilled.size() == 3);
    for (std::size_t i = 0; i < 3; ++i) {
        CHECK(board->fulfilled[i].authorizations == Texts{std::to_string(i + 1)});
        CHECK(board->fulfilled[i].identifiers.front().value == "a.domain.com");
        CHECK(lab.host.messages().at(i).request_id == "request-" + std::to_string(i + 1));
        CHECK(lab.host.messages().at(i).label == std::to_string(i + 1));
    }
    CHECK_FALSE(board->overlapped);
    CHECK(board->count() == 0); // it was obtained a moment ago
    const auto events = lab.host.events();
    REQUIRE(events.size() == 4);
    CHECK(events[1].at("text") == "slow");
    CHECK(events[1].at("request_id") == "request-1");
}

TEST_CASE("PRE-18a: an order that comes back pending has a pre-authorization that lapsed obtained anew")
{
    KeeperLab lab;
    const auto board = lab.add("domain.com", valid_for(24h, lab.clock.now()));
    lab.start();
    CHECK(lab.when_ready("domain.com").get());
    CHECK(board->count() == 0);
    *lab.clock.seconds += 60; // it is not as young as to be believed
    CHECK(lab.fulfil("domain.com", "https://ca.example/authz/1").get());
    CHECK(board->count() == 1);
    CHECK(board->fulfilled.size() == 1);
    CHECK_FALSE(board->overlapped);
}

TEST_CASE("PRE-06b: A CA without newAuthz, or without subdomains, has each order authorized")
{
    KeeperLab lab;
    lab.pace.soonest = 1h;
    const auto none = lab.add("none.com");
    const auto narrow = lab.add("narrow.com");
    none->obtain = [](unsigned, base::Context&) -> Result<acme::PreAuthorization> {
        return fail(Errc::unavailable, "no newAuthz", {}, "newAuthzUnsupported");
    };
    narrow->obtain = [&](unsigned, base::Context&) {
        auto preauth = valid_for(24h, lab.clock.now());
        preauth.authorization.subdomain_auth_allowed = false;
        return preauth;
    };
    lab.start();
    CHECK(lab.when_ready("none.com").get());
    CHECK(lab.when_ready("narrow.com").get());
    CHECK(lab.fulfil("none.com", "https://ca.example/authz/1").get());
    CHECK(lab.fulfil("narrow.com", "https://ca.example/authz/2").get());
    CHECK(none->count() == 1);
    CHECK(narrow->count() == 1);
    CHECK(lab.keeper->status().at("none.com").at("status") == "unsupported");
    auto texts = lab.texts();
    std::sort(texts.begin(), texts.end());
    CHECK(
        texts ==
        Texts{"warning narrow.com the CA does not extend the authorization of narrow.com to its subdomains; "
              "each order is authorized by itself",
              "warning none.com no newAuthz"});
}

TEST_CASE("PRE-18b: Without a solver orders go ahead, and one that comes back pending is refused; other "
          "domains are unknown")
{
    KeeperLab lab;
    lab.add("domain.com");
    lab.domains.back().prover.reset();
    lab.start();
    CHECK(lab.when_ready("domain.com").get());
    const auto refused = lab.fulfil("domain.com", "https://ca.example/authz/1").get();
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Errc::authorization_needed);
    CHECK(lab.texts() ==
          Texts{"error domain.com the CA wants proof for domain.com, and nothing here can give it"});
    CHECK(lab.when_ready("other.com").get());
    const auto unknown = lab.fulfil("other.com", "https://ca.example/authz/1").get();
    REQUIRE_FALSE(unknown);
    CHECK(unknown.error().code == Errc::config);
}
