#include "ra/engine_impl.h"

#include <algorithm>
#include <set>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "crypto/digest.h"

namespace acmetool::ra
{
namespace
{

using base::Json;
using Steady = std::chrono::steady_clock;

/// Time for a few others to fail in between.
constexpr int kProlongedPerLease = 3;
constexpr unsigned kTakenAtOnce = 500;
constexpr std::string_view kOrder = "order ";
constexpr std::string_view kCaCerts = "cacerts";
constexpr std::string_view kMembers = "members";
constexpr std::string_view kHolds = "holds";

std::string new_run(const std::string& instance)
{
    return fmt::format("{}#{}", instance, to_hex(crypto::random_bytes(4)));
}

std::string instance_of(const std::string& run)
{
    return run.substr(0, run.rfind('#'));
}

} // namespace

/// The first lease, before anything is decided.
Result<void> Engine::Impl::enter(store::Database& database)
{
    member.instance = settings()->store.instance;
    member.run = new_run(member.instance);
    member.settings = settings_digest(*settings());
    decider.set_run(member.run);
    return store::Members{database}.enter(member, settings()->store.lease);
}

/// Others take over at once what is not finished.
void Engine::Impl::leave()
{
    notices.reset();
    commits->post({[this](store::Database& database, store::GroupCommit::After&) -> Result<void> {
                       ACMETOOL_CHECK(store::Members{database}.leave(member.run));
                       return database.notify(kMembers);
                   },
                   [](const Error&) {}});
}

/// Begins to keep the lease, and to hear others.
void Engine::Impl::share()
{
    notices = std::make_unique<store::Notices>(settings()->store, [this](const std::string& payload) {
        commits->worker().post([this, payload] { heard(payload); });
    });
    commits->worker().post([this] { prolong(); });
}

bool Engine::Impl::lease(const std::string& what, std::chrono::seconds life)
{
    std::string run;
    {
        const std::lock_guard guard{member_mutex};
        run = member.run;
    }
    const std::lock_guard guard{reader_mutex};
    const auto ours = Records{*reader}.lease(what, run, life);
    return !ours || *ours; // where the store cannot say, twice is better than never
}

void Engine::Impl::held(const std::string& ca, std::chrono::seconds life)
{
    if (!settings()->store.is_shared()) return;
    commits->post({[this, ca, life](store::Database& database, store::GroupCommit::After&) -> Result<void> {
                       ACMETOOL_CHECK(Records{database}.hold({ca, member.run, life}));
                       return database.notify(kHolds);
                   },
                   [](const Error&) {}}); // the others find out themselves
}

/// Tells the issuer what the CA told another relay, or the issuer before it.
void Engine::Impl::pass_on(const std::vector<Records::Hold>& holds)
{
    const std::lock_guard guard{issuer_mutex};
    if (!issuer) return;
    for (const auto& hold : holds)
        issuer->hold(hold.ca, hold.left, instance_of(hold.run));
}

/// Of the relays on the store, as they were a moment ago, this one included.
std::size_t Engine::Impl::relays_alive() const
{
    const std::lock_guard guard{member_mutex};
    const auto alive =
        std::count_if(members.begin(), members.end(), [](const auto& one) { return one.is_alive; });
    return std::max<std::size_t>(1, static_cast<std::size_t>(alive));
}

void Engine::Impl::prolong()
{
    commits->worker().at(Steady::now() + settings()->store.lease / kProlongedPerLease, [this] { prolong(); });
    prolong_once();
}

/// Prolongs the lease, and takes over what nobody drives who is alive.
void Engine::Impl::prolong_once()
{
    const auto lease = settings()->store.lease;
    const auto wanted = settings_digest(*settings());
    commits->post(
        {[this, lease, wanted](store::Database& database, store::GroupCommit::After& after) -> Result<void> {
             store::Members all{database};
             auto self = member;
             self.settings = wanted;
             ACMETOOL_TRY(alive, all.prolong(self, lease));
             if (!alive) {
                 self.run = new_run(self.instance);
                 ACMETOOL_CHECK(all.enter(self, lease));
             }
             ACMETOOL_CHECK(all.forget());
             ACMETOOL_TRY(now_there, all.all());
             Records records{database};
             ACMETOOL_TRY(gone, records.owners_gone());
             ACMETOOL_TRY(holds, records.holds());
             after.push_back([this, self, gone, now_there, holds] {
                 const bool is_new = self.run != member.run;
                 std::vector<store::Member> before;
                 {
                     const std::lock_guard guard{member_mutex};
                     member = self;
                     before = std::exchange(members, now_there);
                 }
                 if (is_new) begin_run();
                 pass_on(holds); // before anything is taken over
                 for (const auto& former : gone)
                     take_over(former);
                 warn_of_differences(before);
             });
             return {};
         },
         [](const Error&) {}}); // GroupCommit::problem() says it
}

/// The lease had ended: what this process drove may be driven by others by now.
void Engine::Impl::begin_run()
{
    decider.set_run(member.run);
    event({{"event", "store"},
           {"level", "warning"},
           {"text", "the store was away: orders under way are taken over, by this relay or another"}});
    if (issuer_is_given) return;
    if (auto next = make_issuer(*settings()))
        hand_over(std::move(*next));
    else
        event({{"event", "store"}, {"level", "error"}, {"text", next.error().message}});
}

/// After a commit that may be done, whose orders nobody drives: what belongs to this run is taken over by the
/// next, as soon as the store is back.
void Engine::Impl::begin_run_anew()
{
    commits->post({[this](store::Database& database, store::GroupCommit::After& after) -> Result<void> {
                       auto next = member;
                       next.run = new_run(next.instance);
                       store::Members all{database};
                       ACMETOOL_CHECK(all.leave(member.run));
                       ACMETOOL_CHECK(all.enter(next, settings()->store.lease));
                       after.push_back([this, next] {
                           {
                               const std::lock_guard guard{member_mutex};
                               member = next;
                           }
                           begin_run();
                           prolong_once();
                       });
                       return {};
                   },
                   nullptr});
}

void Engine::Impl::take_over(const std::string& former)
{
    commits->post(
        {[this, former](store::Database& database, store::GroupCommit::After& after) -> Result<void> {
             Records records{database};
             ACMETOOL_TRY(rows, records.take_over(former, member.run, kTakenAtOnce));
             const bool is_all = rows.size() < kTakenAtOnce;
             after.push_back([this, former, is_all, rows = std::move(rows)] {
                 if (!rows.empty())
                     event({{"event", "store"},
                            {"level", "info"},
                            {"text", fmt::format("took over {} orders of {}", rows.size(),
                                                 former.empty() ? "no relay" : former)}});
                 resume(rows);
                 if (!is_all) take_over(former);
             });
             return {};
         },
         [](const Error&) {}}); // tried again with the next prolongation
}

/// Says once of each process whose settings became others than ours.
void Engine::Impl::warn_of_differences(const std::vector<store::Member>& before)
{
    const auto settings_of = [](const std::vector<store::Member>& all, const std::string& run) {
        const auto found =
            std::find_if(all.begin(), all.end(), [&](const auto& one) { return one.run == run; });
        return found == all.end() ? std::string{} : found->settings;
    };
    for (const auto& one : members)
        if (one.is_alive && one.settings != member.settings && settings_of(before, one.run) != one.settings)
            event({{"event", "store"},
                   {"level", "warning"},
                   {"text", fmt::format("the relay {} has other domains, labels or limits, or another kind "
                                        "of inventory in its configuration",
                                        one.instance)},
                   {"hint", "relays on one database need the same: compare their files"}});
}

void Engine::Impl::heard(const std::string& payload)
{
    if (payload.starts_with(kOrder)) return look_after_waiters({payload.substr(kOrder.size())});
    if (payload == kMembers) return prolong_once();
    if (payload == kHolds) {
        commits->post({[this](store::Database& database, store::GroupCommit::After& after) -> Result<void> {
                           ACMETOOL_TRY(holds, Records{database}.holds());
                           after.push_back([this, holds] { pass_on(holds); });
                           return {};
                       },
                       [](const Error&) {}}); // read again with the next prolongation
        return;
    }
    if (payload.empty()) {
        std::set<std::string> ids;
        for (const auto& [id, waiter] : waiters)
            ids.insert(id);
        look_after_waiters({ids.begin(), ids.end()});
    }
    if (payload.empty() || payload == kCaCerts)
        commits->post({[this](store::Database& database, store::GroupCommit::After& after) -> Result<void> {
                           ACMETOOL_TRY(ders, Records{database}.intermediates());
                           after.push_back(
                               [this, ders = std::move(ders)] { ca_set.set_intermediates(ders, now()); });
                           return {};
                       },
                       [](const Error&) {}});
}

/// Answers those who wait for orders that another process drives, where these have ended.
void Engine::Impl::look_after_waiters(const std::vector<std::string>& order_ids)
{
    std::vector<std::string> waited_for;
    for (const auto& id : order_ids)
        if (waiters.contains(id)) waited_for.push_back(id);
    if (waited_for.empty()) return;
    commits->post(
        {[this, waited_for](store::Database& database, store::GroupCommit::After& after) -> Result<void> {
             Records records{database};
             for (const auto& id : waited_for) {
                 ACMETOOL_TRY(row, records.order(id));
                 if (!row) continue;
                 if (row->state == OrderState::failed) {
                     after.push_back([this, id, failure = row->failure] { tell(id, failure); });
                 } else if (row->state == OrderState::issued) {
                     ACMETOOL_TRY(stored, records.certificate(row->certificate));
                     if (!stored) continue;
                     ACMETOOL_TRY(read, crypto::parse_certificates(acmetool::as_text(stored->der),
                                                                   "certificate in the store"));
                     after.push_back(
                         [this, id, certificate = read.front()] { tell(id, enrol::Issued{certificate}); });
                 }
             }
             return {};
         },
         [](const Error&) {}});
}

/// For the status document.
Json Engine::Impl::sharing() const
{
    Json relays = Json::array();
    const std::lock_guard guard{member_mutex};
    for (const auto& one : members)
        if (one.is_alive)
            relays.push_back({{"instance", one.instance},
                              {"self", one.run == member.run},
                              {"sameSettings", one.settings == member.settings}});
    return relays;
}

} // namespace acmetool::ra
