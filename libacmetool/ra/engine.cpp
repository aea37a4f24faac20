#include "ra/engine.h"

#include <algorithm>
#include <atomic>
#include <deque>
#include <future>
#include <unordered_map>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "crypto/request_info.h"
#include "enrol/device_label.h"
#include "ra/acme_issuer.h"
#include "ra/ca_set.h"
#include "ra/commit_loop.h"
#include "ra/decider.h"
#include "ra/exclusion.h"
#include "ra/mapping.h"
#include "ra/program_issuer.h"
#include "store/file_lock.h"

namespace acmetool::ra
{
namespace
{

using base::Json;
using enrol::Decision;
using enrol::Refusal;
using enrol::Refused;
using Steady = std::chrono::steady_clock;

constexpr std::chrono::minutes kPurgeEvery{10};
constexpr std::chrono::seconds kBusyRetry{5};
constexpr std::chrono::seconds kShortMemory{30}; ///< of a CA that could not be reached

constexpr const char* kCounters[] = {"requests",          "decisions_issued", "decisions_pending",
                                     "decisions_refused", "csr_attributes",   "cache_hits",
                                     "orders_started",    "orders_continued", "orders_issued",
                                     "orders_failed",     "store_failures"};

std::string_view name_of(Refusal why)
{
    constexpr std::string_view kNames[] = {"unauthenticated", "forbidden",   "badRequest",
                                           "badIdentity",     "popFailed",   "notFound",
                                           "tooMany",         "unavailable", "internalCAError"};
    return kNames[static_cast<std::size_t>(why)];
}

Refused store_refusal()
{
    Refused refused = refusal(Refusal::internal, "the registration authority's store does not work");
    refused.retry_after = std::chrono::seconds{30};
    return refused;
}

Json names_of(const std::vector<crypto::Identifier>& identifiers)
{
    Json names = Json::array();
    for (const auto& identifier : identifiers)
        names.push_back(identifier.value);
    return names;
}

/// SHA-256 of a certificate and of its key, as the store writes them.
CertificateRow row_of(const crypto::Certificate& certificate)
{
    CertificateRow row;
    row.digest = to_hex(certificate.sha256());
    row.serial = certificate.serial();
    row.identifiers = certificate.identifiers();
    row.key_digest = to_hex(certificate.public_key().spki_sha256());
    row.not_before = certificate.not_before();
    row.not_after = certificate.not_after();
    row.der = certificate.der();
    return row;
}

Result<void> check_domains(const Options& options)
{
    if (options.domains.empty())
        return fail(Errc::config, "no domain to issue for", "name at least one [[domain]]", "noDomain");
    for (const auto& [label, chosen] : options.labels)
        if (!rules_of(options, label))
            return fail(Errc::config,
                        fmt::format("label {}: {} is none of the domains", label, chosen.domain),
                        "name one of the [[domain]]s", "noDomain");
    return {};
}

Result<std::optional<crypto::Certificate>> read_root(const Options& options)
{
    if (options.root_file.empty()) return std::optional<crypto::Certificate>{};
    ACMETOOL_TRY(root, CaSet::read_root(options.root_file));
    return std::optional<crypto::Certificate>{std::move(root)};
}

Result<std::unique_ptr<Issuer>> make_issuer(const Options& options)
{
    return options.issuer_program.empty() ? make_acme_issuer(options) : make_program_issuer(options);
}

} // namespace

struct Engine::Impl final : IssuerHost {
    struct Waiter {
        std::string order_id;
        Steady::time_point until;
        Decision pending;
        std::function<void(Decision)> answer;
        bool answered = false;
    };
    using WaiterPtr = std::shared_ptr<Waiter>;

    Impl(Options chosen, Parts& parts, bool given, store::FileLock store_lock, Records to_read,
         Budget budget);
    ~Impl() override;

    // The issuer's side.
    Result<Bytes> csr(const std::string& id) override;
    bool holds_order(const std::string& url) override;
    void placed(const std::string& id, std::string url, std::function<void()> stored) override;
    void issued(const std::string& id, std::vector<crypto::Certificate> chain) override;
    void failed(const std::string& id, Error error, bool over) override;
    void deferred(const std::string& id, std::chrono::seconds retry_after) override;
    void event(Json event) override;

    // The protocols' side.
    void enrol(enrol::EnrolRequest request, std::function<void(Decision)> done);
    void attributes(enrol::Peer peer, const std::string& label,
                    std::function<void(enrol::AttributesDecision)> done);
    Result<void> change(std::function<Result<void>(Records&)> what);
    Json status();

    // In the loop's thread.
    void after_verdict(std::shared_ptr<Application> application, Verdict verdict,
                       std::function<void(Decision)> done, CommitLoop::After& after);
    void start(IssuerOrder order, const char* counter);
    void tell(const std::string& order_id, const Decision& decision);
    Steady::time_point tick();
    void resume(const std::vector<OrderRow>& rows);

    void decided(const enrol::EnrolRequest& request, const std::string& csr_digest, const Verdict& verdict,
                 const std::function<void(Decision)>& done, Decision decision);
    std::shared_ptr<const Files> files() const;
    std::shared_ptr<const Options> settings() const;
    void replace(const std::shared_ptr<const Options>& fresh, std::shared_ptr<const Files> its_files,
                 std::optional<crypto::Certificate> root, std::unique_ptr<Issuer> next);
    void hand_over(std::unique_ptr<Issuer> next);
    base::TimePoint now() const
    {
        return clock ? clock() : std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
    }
    void count(const char* name) { ++counters.at(name); }

    EventSink* events;
    std::function<base::TimePoint()> clock;
    store::FileLock lock; ///< one engine for one store
    std::map<std::string, std::atomic<std::uint64_t>> counters;

    mutable std::mutex settings_mutex;
    std::shared_ptr<const Options> current_options;
    std::shared_ptr<const Files> current_files;
    PasswordCheck passwords;
    CaSet ca_set;

    std::mutex reader_mutex;
    Records reader;

    std::mutex deferred_mutex;
    std::unordered_map<std::string, base::TimePoint> deferred_until;

    // Of the loop's thread alone.
    Decider decider;
    std::unordered_multimap<std::string, WaiterPtr> waiters;
    std::deque<WaiterPtr> by_deadline;
    Steady::time_point purge_at{};

    std::mutex issuer_mutex;
    std::unique_ptr<Issuer> issuer; ///< null once the engine is about to go, and while another takes over
    bool ending = false;            ///< nothing takes over any more
    std::uint64_t hand_overs = 0;   ///< the last one counts
    const bool issuer_is_given;     ///< by a test, and stays
    std::unique_ptr<CommitLoop> loop;
};

Engine::Impl::Impl(Options chosen, Parts& parts, bool given, store::FileLock store_lock, Records to_read,
                   Budget budget)
    : events(parts.events), clock(parts.now), lock(std::move(store_lock)),
      current_options(std::make_shared<const Options>(std::move(chosen))), reader(std::move(to_read)),
      decider(current_options, std::move(budget)), issuer(std::move(parts.issuer)), issuer_is_given(given)
{
    for (const auto* name : kCounters)
        counters[name] = 0;
}

Engine::Impl::~Impl()
{
    if (!loop) return;
    // First nothing is begun any more, then the issuer ends (what it still tells is stored), then the loop.
    std::unique_ptr<Issuer> last;
    {
        const std::lock_guard guard{issuer_mutex};
        ending = true;
        last = std::move(issuer);
    }
    last.reset();
    loop->stop();
    for (const auto& waiter : by_deadline)
        if (!waiter->answered) waiter->answer(std::move(waiter->pending));
}

std::shared_ptr<const Files> Engine::Impl::files() const
{
    const std::lock_guard guard{settings_mutex};
    return current_files;
}

std::shared_ptr<const Options> Engine::Impl::settings() const
{
    const std::lock_guard guard{settings_mutex};
    return current_options;
}

void Engine::Impl::event(Json event)
{
    if (events != nullptr) events->event(event);
}

Result<Bytes> Engine::Impl::csr(const std::string& id)
{
    const std::lock_guard guard{reader_mutex};
    return reader.csr(id);
}

bool Engine::Impl::holds_order(const std::string& url)
{
    const std::lock_guard guard{reader_mutex};
    const auto held = reader.holds_url(url);
    return !held || *held; // where the store cannot say, the order is let alone
}

void Engine::Impl::placed(const std::string& id, std::string url, std::function<void()> stored)
{
    loop->post({[this, id, url = std::move(url),
                 stored = std::move(stored)](Records& records, CommitLoop::After& after) -> Result<void> {
                    ACMETOOL_CHECK(records.set_url(id, url));
                    after.push_back([this, id, url, stored] {
                        if (events != nullptr)
                            event({{"event", "order"}, {"level", "info"}, {"order", url}, {"id", id}});
                        stored();
                    });
                    return {};
                },
                nullptr});
}

void Engine::Impl::issued(const std::string& id, std::vector<crypto::Certificate> chain)
{
    auto row = row_of(chain.front());
    std::vector<crypto::Certificate> intermediates;
    const auto rooted = ca_set.check(chain, now(), intermediates);
    if (!rooted) {
        intermediates.clear();
        event({{"event", "cacerts"},
               {"level", "error"},
               {"text", rooted.error().message},
               {"hint", rooted.error().hint}});
    }
    loop->post(
        {[this, id, row = std::move(row), leaf = chain.front(), intermediates = std::move(intermediates)](
             Records& records, CommitLoop::After& after) mutable -> Result<void> {
             ACMETOOL_TRY(found, records.order(id));
             if (!found || found->state == OrderState::issued) return {};
             auto& order = *found;
             row.device = order.device;
             row.csr_digest = to_hex(crypto::sha256(order.csr));
             order.state = OrderState::issued;
             order.until = row.not_after;
             order.certificate = row.digest;
             order.csr.clear();
             ACMETOOL_CHECK(records.put(row));
             ACMETOOL_CHECK(records.put(order));
             for (const auto& intermediate : intermediates)
                 ACMETOOL_CHECK(records.keep_intermediate(intermediate.der(), to_hex(intermediate.sha256()),
                                                          row.not_after));
             std::optional<std::vector<Bytes>> kept;
             const auto offered = ca_set.offered();
             const bool is_new =
                 std::any_of(intermediates.begin(), intermediates.end(), [&](const auto& intermediate) {
                     return std::none_of(offered.begin(), offered.end(), [&](const auto& known) {
                         return known.sha256() == intermediate.sha256();
                     });
                 });
             if (is_new) {
                 ACMETOOL_TRY(ders, records.intermediates());
                 kept = std::move(ders);
             }
             after.push_back([this, id, leaf, kept = std::move(kept)] {
                 if (kept) ca_set.set_intermediates(*kept, now());
                 count("orders_issued");
                 tell(id, enrol::Issued{leaf});
             });
             return {};
         },
         nullptr});
}

void Engine::Impl::failed(const std::string& id, Error error, bool over)
{
    auto refused = refusal_of(error);
    std::chrono::seconds memory = settings()->remember_failure;
    if (refused.retry_after)
        memory = *refused.retry_after;
    else if (error.code == Errc::unavailable || error.code == Errc::interrupted)
        memory = std::min(memory, kShortMemory);
    if (refused.why == Refusal::unavailable && !refused.retry_after) refused.retry_after = memory;
    loop->post(
        {[this, id, refused = std::move(refused), memory, over,
          error = std::move(error)](Records& records, CommitLoop::After& after) -> Result<void> {
             ACMETOOL_TRY(found, records.order(id));
             if (!found || found->state == OrderState::issued) return {};
             auto& order = *found;
             order.state = OrderState::failed;
             order.failure = refused;
             order.created = now();
             order.until = order.created + memory;
             if (over) {
                 order.url.clear();
                 order.unsure = false;
             }
             ACMETOOL_CHECK(records.put(order));
             after.push_back([this, id, refused, error, url = order.url] {
                 count("orders_failed");
                 Json told{{"event", "order"}, {"level", "warning"}, {"id", id}, {"text", error.message}};
                 if (!url.empty()) told["order"] = url;
                 if (!error.hint.empty()) told["hint"] = error.hint;
                 if (!error.problem.empty())
                     if (const auto problem = base::parse_json(error.problem, "problem"))
                         told["problem"] = *problem;
                 event(std::move(told));
                 tell(id, refused);
             });
             return {};
         },
         nullptr});
}

void Engine::Impl::deferred(const std::string& id, std::chrono::seconds retry_after)
{
    const std::lock_guard guard{deferred_mutex};
    deferred_until[id] = now() + retry_after;
}

void Engine::Impl::start(IssuerOrder order, const char* counter)
{
    const std::lock_guard guard{issuer_mutex};
    if (!issuer) return; // the next run continues it
    count(counter);
    issuer->start(std::move(order));
}

void Engine::Impl::tell(const std::string& order_id, const Decision& decision)
{
    {
        const std::lock_guard guard{deferred_mutex};
        deferred_until.erase(order_id);
    }
    const auto [begin, end] = waiters.equal_range(order_id);
    std::vector<WaiterPtr> found;
    for (auto at = begin; at != end; ++at)
        found.push_back(at->second);
    waiters.erase(begin, end);
    for (const auto& waiter : found) {
        waiter->answered = true;
        waiter->answer(decision);
    }
}

Steady::time_point Engine::Impl::tick()
{
    const auto at = Steady::now();
    while (!by_deadline.empty() && (by_deadline.front()->answered || by_deadline.front()->until <= at)) {
        const auto waiter = std::move(by_deadline.front());
        by_deadline.pop_front();
        if (waiter->answered) continue;
        const auto [begin, end] = waiters.equal_range(waiter->order_id);
        const auto mine = std::find_if(begin, end, [&](const auto& entry) { return entry.second == waiter; });
        if (mine != end) waiters.erase(mine);
        waiter->answered = true;
        waiter->answer(std::move(waiter->pending));
    }
    if (at >= purge_at) {
        purge_at = at + kPurgeEvery;
        loop->post({[this](Records& records, CommitLoop::After& after) -> Result<void> {
                        ACMETOOL_CHECK(records.purge(now(), now() - settings()->limits.budget_window));
                        ACMETOOL_TRY(ders, records.intermediates());
                        after.push_back(
                            [this, ders = std::move(ders)] { ca_set.set_intermediates(ders, now()); });
                        return {};
                    },
                    [](const Error&) {}});
    }
    return by_deadline.empty() ? at + std::chrono::minutes{1} : by_deadline.front()->until;
}

void Engine::Impl::decided(const enrol::EnrolRequest& request, const std::string& csr_digest,
                           const Verdict& verdict, const std::function<void(Decision)>& done,
                           Decision decision)
{
    const auto* refused = std::get_if<Refused>(&decision);
    const auto* pending = std::get_if<enrol::Pending>(&decision);
    const char* word = refused != nullptr ? "refused" : pending != nullptr ? "pending" : "issued";
    count(refused != nullptr   ? "decisions_refused"
          : pending != nullptr ? "decisions_pending"
                               : "decisions_issued");
    if (events != nullptr) {
        Json told{{"event", "decision"},
                  {"level", refused != nullptr ? "warning" : "info"},
                  {"request_id", request.request_id},
                  {"device", verdict.device.id},
                  {"address", request.peer.address},
                  {"csrSha256", csr_digest},
                  {"identifiers", names_of(request.csr.identifiers)},
                  {"renewal", request.renewal},
                  {"decision", word}};
        if (!request.label.empty()) told["label"] = base::printable(request.label, 100);
        if (!verdict.order_id.empty()) told["id"] = verdict.order_id;
        if (!verdict.url.empty()) told["order"] = verdict.url;
        if (verdict.from_cache) told["fromCache"] = true;
        if (pending != nullptr) told["retryAfter"] = pending->retry_after.count();
        if (refused != nullptr) {
            told["reason"] = name_of(refused->why);
            told["text"] = refused->text;
        }
        if (const auto* got = std::get_if<enrol::Issued>(&decision))
            told["serial"] = got->certificate.serial();
        event(std::move(told));
    }
    done(std::move(decision));
}

void Engine::Impl::after_verdict(std::shared_ptr<Application> application, Verdict verdict,
                                 std::function<void(Decision)> done, CommitLoop::After& after)
{
    if (verdict.from_cache) count("cache_hits");
    auto* pending = std::get_if<enrol::Pending>(&verdict.decision);
    if (pending == nullptr) {
        after.push_back([this, application = std::move(application), verdict = std::move(verdict),
                         done = std::move(done)]() mutable {
            decided(application->request, application->csr_digest, verdict, done,
                    std::move(verdict.decision));
        });
        return;
    }
    {
        const std::lock_guard guard{deferred_mutex};
        if (const auto found = deferred_until.find(verdict.order_id); found != deferred_until.end())
            pending->retry_after =
                std::max(pending->retry_after, std::min(std::chrono::seconds{found->second - now()},
                                                        std::chrono::seconds{std::chrono::hours{1}}));
    }
    after.push_back([this, application = std::move(application), verdict = std::move(verdict),
                     done = std::move(done)]() mutable {
        auto order = std::move(verdict.start);
        verdict.start.reset();
        const char* counter =
            order && order->url.empty() && !order->intended ? "orders_started" : "orders_continued";
        const auto wait = settings()->wait;
        if (wait.count() == 0) {
            decided(application->request, application->csr_digest, verdict, done, verdict.decision);
        } else {
            auto waiter = std::make_shared<Waiter>();
            waiter->order_id = verdict.order_id;
            waiter->until = Steady::now() + wait;
            waiter->pending = verdict.decision;
            // Only what the event needs is kept while it waits.
            auto request = std::make_shared<enrol::EnrolRequest>();
            request->request_id = application->request.request_id;
            request->peer.address = application->request.peer.address;
            request->label = application->request.label;
            request->renewal = application->request.renewal;
            request->csr.identifiers = application->request.csr.identifiers;
            waiter->answer = [this, request, digest = application->csr_digest, verdict = std::move(verdict),
                              done = std::move(done)](Decision decision) {
                decided(*request, digest, verdict, done, std::move(decision));
            };
            waiters.emplace(waiter->order_id, waiter);
            by_deadline.push_back(std::move(waiter));
        }
        if (order) start(std::move(*order), counter);
    });
}

void Engine::Impl::enrol(enrol::EnrolRequest request, std::function<void(Decision)> done)
{
    count("requests");
    auto application = std::make_shared<Application>();
    application->csr_digest = to_hex(crypto::sha256(request.csr.der));
    application->request = std::move(request);
    const auto refuse_now = [&](Refused refused) {
        decided(application->request, application->csr_digest, {}, done, std::move(refused));
    };
    const auto options = settings();
    auto rules = rules_of(*options, application->request.label);
    if (!rules) return refuse_now(refusal(Refusal::not_found, "there is no such label"));
    application->rules = std::move(*rules);
    application->files = files();
    application->claim = examine(application->request.peer, *application->files, passwords, now());
    const auto& claim = application->claim;
    if (claim.refused) return refuse_now(*claim.refused);
    application->csr_refusal = judge_csr(application->request, *options, application->rules);
    application->binding_refusal = judge_binding(application->request, *options);
    const auto info = crypto::info_digest(application->request.csr);
    if (!info) return refuse_now(refusal(Refusal::bad_request, info.error().message));
    application->info_digest = to_hex(*info);
    application->key_digest = to_hex(application->request.csr.key.spki_sha256());
    application->same_subject =
        claim.certificate && crypto::same_subject(application->request.csr, *claim.certificate);

    auto shared_done = std::make_shared<std::function<void(Decision)>>(std::move(done));
    const bool taken = loop->post(
        {[this, application, shared_done](Records& records, CommitLoop::After& after) -> Result<void> {
             ACMETOOL_TRY(verdict, decider.decide(records, *application, now()));
             after.push_back([this] { decider.budget().settle(); });
             after_verdict(application, std::move(verdict), *shared_done, after);
             return {};
         },
         [this, application, shared_done](const Error& error) {
             decider.budget().undo();
             count("store_failures");
             event({{"event", "store"}, {"level", "error"}, {"text", error.message}, {"hint", error.hint}});
             decided(application->request, application->csr_digest, {}, *shared_done, store_refusal());
         }});
    if (taken) return;
    auto busy = refusal(Refusal::unavailable, "too many requests are waiting");
    busy.retry_after = kBusyRetry;
    decided(application->request, application->csr_digest, {}, *shared_done, std::move(busy));
}

void Engine::Impl::attributes(enrol::Peer peer, const std::string& label,
                              std::function<void(enrol::AttributesDecision)> done)
{
    count("csr_attributes");
    const auto rules = rules_of(*settings(), label);
    if (!rules) return done(refusal(Refusal::not_found, "there is no such label"));
    const auto known = files();
    auto claim = std::make_shared<Claim>(examine(peer, *known, passwords, now()));
    if (claim->refused) return done(*claim->refused);
    auto shared_done = std::make_shared<std::function<void(enrol::AttributesDecision)>>(std::move(done));
    const bool taken = loop->post(
        {[this, claim, known, label, rules = *rules, shared_done](Records& records,
                                                                  CommitLoop::After& after) -> Result<void> {
             ACMETOOL_TRY(told, decider.attributes(records, *claim, rules, label, *known, now()));
             after.push_back([shared_done, told = std::move(told)] { (*shared_done)(told.decision); });
             return {};
         },
         [shared_done](const Error&) { (*shared_done)(store_refusal()); }});
    if (taken) return;
    auto busy = refusal(Refusal::unavailable, "too many requests are waiting");
    busy.retry_after = kBusyRetry;
    (*shared_done)(std::move(busy));
}

Result<void> Engine::Impl::change(std::function<Result<void>(Records&)> what)
{
    auto outcome = std::make_shared<std::promise<Result<void>>>();
    auto future = outcome->get_future();
    const bool taken = loop->post(
        {[what = std::move(what), outcome](Records& records, CommitLoop::After& after) -> Result<void> {
             ACMETOOL_CHECK(what(records));
             after.push_back([outcome] { outcome->set_value({}); });
             return {};
         },
         [outcome](const Error& error) { outcome->set_value(fail(error)); }});
    if (!taken) return fail(Errc::temporary, "too many requests are waiting");
    return future.get();
}

Json Engine::Impl::status()
{
    Json orders = Json::object();
    Json status = Json::object();
    {
        const std::lock_guard guard{issuer_mutex};
        status["issuer"] = issuer ? issuer->status() : Json::object();
    }
    {
        const std::lock_guard guard{reader_mutex};
        if (const auto counts = reader.count_orders())
            for (const auto& [state, number] : *counts)
                orders[std::string{ra::name_of(state)}] = number;
        if (const auto oldest = reader.oldest_unfinished(); oldest && *oldest)
            status["oldestPending"] = base::to_rfc3339(**oldest);
    }
    status["orders"] = std::move(orders);
    Json offered = Json::array();
    for (const auto& certificate : ca_set.offered())
        offered.push_back(
            {{"subject", certificate.subject()}, {"notAfter", base::to_rfc3339(certificate.not_after())}});
    status["cacerts"] = {{"certificates", std::move(offered)}};
    if (const auto problem = ca_set.problem(); !problem.empty()) status["cacerts"]["error"] = problem;
    if (const auto problem = loop->problem()) status["store"] = {{"error", problem->message}};
    Json numbers = Json::object();
    for (const auto& [name, number] : counters)
        numbers[name] = number.load();
    status["counters"] = std::move(numbers);
    return status;
}

void Engine::Impl::resume(const std::vector<OrderRow>& rows)
{
    for (const auto& row : rows)
        start({row.id, row.identifiers, row.domain, row.profile, row.url, row.unsure && row.url.empty(),
               row.request_id},
              "orders_continued");
}

Engine::Engine(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Engine::~Engine() = default;

void Engine::Impl::hand_over(std::unique_ptr<Issuer> next)
{
    std::unique_ptr<Issuer> last;
    std::uint64_t mine = 0;
    {
        const std::lock_guard guard{issuer_mutex};
        last = std::move(issuer);
        mine = ++hand_overs;
    }
    last.reset();
    // From here on nothing is begun until the job below: its rows hold all that were to be begun meanwhile,
    // and those that are stored after it are begun by who stores them.
    auto waiting = std::make_shared<std::unique_ptr<Issuer>>(std::move(next));
    loop->post({[this, waiting, mine](Records& records, CommitLoop::After& after) -> Result<void> {
                    ACMETOOL_TRY(rows, records.unfinished());
                    after.push_back([this, waiting, mine, rows = std::move(rows)] {
                        {
                            const std::lock_guard guard{issuer_mutex};
                            if (ending || mine != hand_overs) return;
                            issuer = std::move(*waiting);
                            issuer->attach(*this);
                        }
                        resume(rows);
                    });
                    return {};
                },
                nullptr});
}

void Engine::Impl::replace(const std::shared_ptr<const Options>& fresh,
                           std::shared_ptr<const Files> its_files, std::optional<crypto::Certificate> root,
                           std::unique_ptr<Issuer> next)
{
    {
        const std::lock_guard guard{settings_mutex};
        current_options = fresh;
        current_files = std::move(its_files);
    }
    if (root) {
        ca_set.set_root(*root);
        const std::lock_guard guard{reader_mutex};
        if (const auto ders = reader.intermediates()) ca_set.set_intermediates(*ders, now());
    }
    loop->post({[this, fresh](Records&, CommitLoop::After& after) -> Result<void> {
                    after.push_back([this, fresh] { decider.configure(fresh); });
                    return {};
                },
                nullptr});
    if (next) hand_over(std::move(next));
}

Result<std::unique_ptr<Engine>> Engine::open(Options options, EventSink* events)
{
    Parts parts;
    parts.events = events;
    return open(std::move(options), std::move(parts));
}

Result<std::unique_ptr<Engine>> Engine::open(Options options, Parts parts)
{
    ACMETOOL_CHECK(check_domains(options));
    ACMETOOL_TRY(files, Files::read(options));
    ACMETOOL_TRY(root, read_root(options));
    base::Context context;
    ACMETOOL_TRY(lock, store::FileLock::acquire(options.store_file + ".lock", context));
    ACMETOOL_TRY(records, Records::open(options.store_file));
    ACMETOOL_TRY(reader, Records::open(options.store_file));
    ACMETOOL_TRY(spent, records.spent());
    ACMETOOL_TRY(intermediates, records.intermediates());
    ACMETOOL_TRY(unfinished, records.unfinished());
    const bool given = parts.issuer != nullptr;
    if (!given) {
        ACMETOOL_TRY(issuer, make_issuer(options));
        parts.issuer = std::move(issuer);
    }
    Budget budget{options.limits};
    budget.load(spent);
    auto impl = std::make_unique<Impl>(std::move(options), parts, given, std::move(lock), std::move(reader),
                                       std::move(budget));
    impl->current_files = std::make_shared<const Files>(std::move(files));
    if (root) impl->ca_set.set_root(std::move(*root));
    impl->ca_set.set_intermediates(intermediates, impl->now());
    auto* self = impl.get();
    impl->purge_at = Steady::now();
    impl->loop = std::make_unique<CommitLoop>(std::move(records), [self] { return self->tick(); });
    impl->issuer->attach(*self);
    impl->loop->post(
        {[self, rows = std::move(unfinished)](Records&, CommitLoop::After& after) -> Result<void> {
             after.push_back([self, rows] { self->resume(rows); });
             return {};
         },
         nullptr});
    impl->loop->start();
    return std::unique_ptr<Engine>{new Engine(std::move(impl))};
}

void Engine::enrol(enrol::EnrolRequest request, std::function<void(Decision)> done)
{
    impl_->enrol(std::move(request), std::move(done));
}

void Engine::csr_attributes(enrol::Peer peer, const std::string& label,
                            std::function<void(enrol::AttributesDecision)> done)
{
    impl_->attributes(std::move(peer), label, std::move(done));
}

std::optional<std::vector<crypto::Certificate>> Engine::ca_certificates(const std::string& label)
{
    if (!rules_of(*impl_->settings(), label)) return std::nullopt;
    return impl_->ca_set.offered();
}

bool Engine::may_connect(const crypto::Certificate& certificate)
{
    Device device;
    const auto digest = to_hex(certificate.sha256());
    const auto serial = enrol::device_serial(certificate);
    const std::lock_guard guard{impl_->reader_mutex};
    const auto row = impl_->reader.certificate(digest);
    if (!row) return false; // a store that cannot be asked says no
    if (*row) {
        device = (*row)->device;
        const auto revoked = impl_->reader.is_revoked((*row)->serial);
        if (!revoked || *revoked) return false;
    } else if (serial) {
        device = {device_id(*serial, certificate), *serial};
    } else {
        return true;
    }
    const auto blocked = impl_->reader.is_blocked(device);
    return blocked && !*blocked;
}

Result<void> Engine::revoke(const std::string& serial)
{
    ACMETOOL_TRY(wanted, parse_serial(serial));
    return impl_->change(
        [wanted, at = impl_->now()](Records& records) { return records.revoke(wanted, at); });
}

Result<void> Engine::block(const std::string& device)
{
    return impl_->change([device, at = impl_->now()](Records& records) { return records.block(device, at); });
}

Result<void> Engine::unblock(const std::string& device)
{
    return impl_->change([device](Records& records) { return records.unblock(device); });
}

Result<std::function<void()>> Engine::prepare(Options options)
{
    const auto old = impl_->settings();
    options.store_file = old->store_file;
    ACMETOOL_CHECK(check_domains(options));
    ACMETOOL_TRY(files, Files::read(options));
    ACMETOOL_TRY(root, read_root(options));
    auto next = std::make_shared<std::unique_ptr<Issuer>>();
    if (!impl_->issuer_is_given && !same_issuer(*old, options)) {
        ACMETOOL_TRY(issuer, make_issuer(options));
        *next = std::move(issuer);
    }
    return [this, next, root = std::move(root), fresh = std::make_shared<const Options>(std::move(options)),
            its_files = std::make_shared<const Files>(std::move(files))] {
        impl_->replace(fresh, its_files, root, std::move(*next));
    };
}

Json Engine::status()
{
    return impl_->status();
}

Result<void> Engine::ready()
{
    if (const auto problem = impl_->loop->problem()) return fail(*problem);
    if (impl_->ca_set.offered().empty())
        return fail(Errc::config, "/cacerts has nothing to offer", "name the CA's root certificate");
    return {};
}

std::map<std::string, std::uint64_t> Engine::counters() const
{
    std::map<std::string, std::uint64_t> numbers;
    for (const auto& [name, number] : impl_->counters)
        numbers[name] = number.load();
    return numbers;
}

} // namespace acmetool::ra
