#include "ra/engine_impl.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "base/spread.h"
#include "crypto/digest.h"
#include "crypto/request_info.h"
#include "ra/event_records.h"
#include "ra/mapping.h"

namespace acmetool::ra
{
namespace
{

using base::Json;
using enrol::Decision;
using enrol::Refusal;
using Steady = std::chrono::steady_clock;

constexpr std::chrono::minutes kPurgeEvery{10};
constexpr std::chrono::seconds kShortMemory{30}; ///< of a CA that could not be reached, or a full disk

bool passes_soon(Errc code)
{
    return code == Errc::unavailable || code == Errc::interrupted || code == Errc::io ||
           code == Errc::cannot_create;
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

} // namespace

Result<Bytes> Engine::Impl::csr(const std::string& id)
{
    if (auto recent = recent_csrs.take(id)) return std::move(*recent);
    const std::lock_guard guard{reader_mutex};
    return Records{*reader}.csr(id);
}

bool Engine::Impl::holds_order(const std::string& url)
{
    const std::lock_guard guard{reader_mutex};
    const auto held = Records{*reader}.holds_url(url);
    return !held || *held; // where the store cannot say, the order is let alone
}

void Engine::Impl::placed(const IssuerOrder& order, std::function<void(bool)> stored)
{
    commits->post(
        {[this, order, stored = std::move(stored)](store::Database& database,
                                                   store::GroupCommit::After& after) -> Result<void> {
             Records records{database};
             ACMETOOL_TRY(is_ours, records.set_url(order.id, order.url, member.run));
             // An order of another row, which was found in the account's list before its URL was stored
             // there.
             ACMETOOL_TRY(row, is_ours ? Result<std::optional<OrderRow>>{} : records.order(order.id));
             const bool anew = row && row->owner == member.run && row->state == OrderState::intent;
             after.push_back([this, order, stored, is_ours = is_ours, anew] {
                 if (events != nullptr) {
                     Json told{{"event", "order"},
                               {"level", is_ours ? "info" : "warning"},
                               {"order", order.url},
                               {"id", order.id},
                               {"request_id", order.request_id}};
                     if (!is_ours)
                         told["text"] = anew ? "the order belongs to another request: placing a new one"
                                             : "another relay has taken the order over";
                     event(std::move(told));
                 }
                 stored(is_ours);
                 if (!anew) return;
                 auto again = order;
                 again.url.clear();
                 again.intended = false;
                 start(std::move(again), "orders_started");
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
        event({{"event", "cacerts"},
               {"level", "error"},
               {"text", rooted.error().message},
               {"hint", rooted.error().hint}});
    }
    commits->post(
        {[this, id, row = std::move(row), leaf = chain.front(), intermediates = std::move(intermediates)](
             store::Database& database, store::GroupCommit::After& after) mutable -> Result<void> {
             Records records{database};
             ACMETOOL_TRY(found, records.order_to_change(id));
             if (!found || found->state == OrderState::issued) return {};
             auto& order = *found;
             row.device = order.device;
             row.csr_digest = to_hex(crypto::sha256(order.csr));
             if (auto asked = crypto::requested_subject(order.csr);
                 asked && !crypto::is_subject_of(*asked, leaf))
                 row.subject = std::move(*asked);
             if (order.watched) ACMETOOL_CHECK(database.notify("order " + id));
             order.watched = false;
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
                         return known.der() == intermediate.der();
                     });
                 });
             if (is_new) {
                 ACMETOOL_CHECK(database.notify("cacerts"));
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
    auto mapped = refusal_of(error);
    mapped.authenticated = true; // an order is placed only for a device whose identity held
    std::chrono::seconds memory = settings()->remember_failure;
    if (mapped.retry_after)
        memory = *mapped.retry_after;
    else if (passes_soon(error.code))
        memory = std::min(memory, kShortMemory);
    // What all wait for comes to an end for all at once.
    const bool is_hold = error.code == Errc::temporary && mapped.retry_after;
    auto* const turns = is_hold                                          ? &turns_after_hold
                        : !mapped.retry_after && passes_soon(error.code) ? &turns_after_failure
                                                                         : nullptr;
    commits->post({[this, id, mapped = std::move(mapped), memory, turns, over, error = std::move(error)](
                       store::Database& database, store::GroupCommit::After& after) -> Result<void> {
                       Records records{database};
                       ACMETOOL_TRY(found, records.order_to_change(id));
                       // Whoever has taken it over knows better.
                       if (!found || found->state == OrderState::issued || found->owner != member.run)
                           return {};
                       auto& order = *found;
                       auto refused = mapped;
                       auto wait = memory;
                       if (turns != nullptr)
                           wait = (order.renewal ? turns->renewals : turns->new_devices)
                                      .take(now(), memory, relays_alive());
                       if (refused.retry_after)
                           wait = base::spread_after(wait);
                       else if (turns != nullptr)
                           wait = base::spread(wait);
                       if (refused.why == Refusal::unavailable && !refused.retry_after)
                           refused.retry_after = wait;
                       if (order.watched) ACMETOOL_CHECK(database.notify("order " + id));
                       order.watched = false;
                       order.state = OrderState::failed;
                       order.failure = refused;
                       order.created = now();
                       order.until = order.created + wait;
                       if (over) {
                           order.url.clear();
                           order.unsure = false;
                       }
                       ACMETOOL_CHECK(records.put(order));
                       after.push_back([this, id, refused, error, url = order.url, next_try = order.until,
                                        request_id = order.request_id, device = order.device.id] {
                           count("orders_failed");
                           Json told{{"event", "order"},
                                     {"level", "warning"},
                                     {"id", id},
                                     {"request_id", request_id},
                                     {"device", device},
                                     {"nextTry", base::to_rfc3339(next_try)},
                                     {"text", error.message}};
                           if (!url.empty()) told["order"] = url;
                           if (!error.hint.empty()) told["hint"] = error.hint;
                           const auto problem = base::parse_json(error.problem, "problem");
                           if (!error.problem.empty() && problem)
                               told["problem"] = *problem;
                           else
                               told["cause"] = name_of(error);
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

void Engine::Impl::event(Json event)
{
    if (events != nullptr) events->event(event);
}

void Engine::Impl::message(base::Message message)
{
    for (auto* party : {&message.from, &message.to})
        if (*party == "client") *party = "ra";
    if (events != nullptr) events->message(message);
}

/// `csr`: of an order that was stored just now; empty: the store has it.
void Engine::Impl::start(IssuerOrder order, const char* counter, Bytes csr)
{
    const std::lock_guard guard{issuer_mutex};
    if (!issuer) return; // the next run continues it
    count(counter);
    recent_csrs.keep(order.id, std::move(csr));
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
        commits->worker().cancel(waiter->timer);
        waiter->answer(decision);
    }
}

/// Answers one who has waited long enough.
void Engine::Impl::end_wait(Waiter& waiter)
{
    const auto [begin, end] = waiters.equal_range(waiter.order_id);
    const auto place =
        std::find_if(begin, end, [&](const auto& entry) { return entry.second.get() == &waiter; });
    const auto mine = std::move(place->second);
    waiters.erase(place);
    mine->answer(std::move(mine->pending));
}

void Engine::Impl::purge()
{
    commits->post(
        {[this](store::Database& database, store::GroupCommit::After& after) -> Result<void> {
             Records records{database};
             const auto options = settings();
             ACMETOOL_TRY(all, records.purge(now(), now() - options->issued.grace,
                                             now() - options->limits.budget_window));
             ACMETOOL_TRY(no_events, EventRecords{database}.purge(now() - options->keep_events));
             ACMETOOL_TRY(ders, records.intermediates());
             after.push_back([this, all = all && no_events, ders = std::move(ders)] {
                 ca_set.set_intermediates(ders, now());
                 // The next slice, behind those who wait.
                 if (all)
                     commits->worker().at(Steady::now() + kPurgeEvery, [this] { purge(); });
                 else
                     purge();
             });
             return {};
         },
         [this](const Error&) { commits->worker().at(Steady::now() + kPurgeEvery, [this] { purge(); }); }});
}

void Engine::Impl::resume(const std::vector<OrderRow>& rows)
{
    for (const auto& row : rows)
        start({row.id, row.identifiers, row.domain, row.profile, row.url, row.unsure && row.url.empty(),
               row.request_id, row.renewal ? std::optional{row.created} : std::nullopt},
              "orders_continued");
}

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
    commits->post(
        {[this, waiting, mine](store::Database& database, store::GroupCommit::After& after) -> Result<void> {
             Records records{database};
             ACMETOOL_TRY(rows, records.unfinished(member.run));
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

} // namespace acmetool::ra
