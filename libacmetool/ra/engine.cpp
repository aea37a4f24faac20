#include "ra/engine.h"

#include <algorithm>
#include <future>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "ra/acme_issuer.h"
#include "ra/engine_impl.h"
#include "ra/exclusion.h"
#include "ra/inventory_records.h"
#include "ra/program_issuer.h"

namespace acmetool::ra
{
namespace
{

using base::Json;

struct Counter {
    const char* name;
    const char* help;
};
constexpr Counter kCounters[] = {
    {"requests", "Requests for enrolment, by all protocols."},
    {"decisions_issued", "Requests answered with a certificate."},
    {"decisions_pending", "Requests answered with not yet."},
    {"decisions_refused", "Requests refused."},
    {"csr_attributes", "Requests for CSR attributes."},
    {"cache_hits", "Requests answered with a certificate that was issued before."},
    {"orders_started", "Orders that were begun."},
    {"orders_continued", "Orders of an earlier run, or of an earlier failure, that were continued."},
    {"orders_issued", "Orders that ended with a certificate."},
    {"orders_failed", "Orders that failed."},
    {"store_failures", "Decisions that the database did not take."},
};

Result<void> check_domains(const Options& options)
{
    if (options.domains.empty())
        return fail(Errc::config, "no domain is configured", "add at least one [[domain]]", "noDomain");
    for (const auto& [label, chosen] : options.labels)
        if (!rules_of(options, label))
            return fail(Errc::config,
                        fmt::format("label {}: {} is not one of the domains", label, chosen.domain),
                        "use one of the [[domain]] names", "noDomain");
    return {};
}

/// The store of this process. A file is locked, and a name on a shared database: another process that has it
/// is waited for.
Result<std::unique_ptr<store::Database>> own_store(const store::Options& options, store::FileLock& lock,
                                                   base::Context& context)
{
    if (!options.is_shared()) {
        ACMETOOL_TRY(held, lock_store(options.sqlite, context));
        lock = std::move(held);
        ACMETOOL_TRY(file, Records::open(options, store::Use::owning));
        lock.note(file->id());
        return std::move(file);
    }
    constexpr base::Milliseconds kLookAgain{500};
    const auto began = context.steady_now();
    for (bool told = false;; told = true) {
        auto database = Records::open(options, store::Use::owning);
        if (database || database.error().reason != Cause::instance_in_use) return database;
        if (!told)
            context.log(base::Level::warning,
                        fmt::format("waiting: {} ({})", database.error().message, database.error().hint));
        ACMETOOL_CHECK(context.sleep(kLookAgain, {"the other relay of this name to end", began, {}}));
    }
}

} // namespace

Result<std::unique_ptr<Issuer>> Engine::Impl::make_issuer(const Options& options)
{
    return options.issuer_program.empty() ? make_acme_issuer(options) : make_program_issuer(options);
}

Result<Bytes> Engine::Impl::digest_of_issuer_files(const Options& options)
{
    return options.issuer_program.empty() ? digest_of_acme_files(options) : Bytes{};
}

Engine::Impl::Impl(Options chosen, Parts& parts, bool given, store::FileLock store_lock,
                   std::unique_ptr<store::Database> to_read, Budget budget)
    : events(parts.events), clock(parts.now), lock(std::move(store_lock)),
      current_options(std::make_shared<const Options>(std::move(chosen))), crls(std::move(parts.crls)),
      reader(std::move(to_read)), decider(current_options, std::move(budget)),
      issuer(std::move(parts.issuer)), issuer_is_given(given)
{
    for (const auto& counter : kCounters)
        counters[counter.name] = 0;
}

Engine::Impl::~Impl()
{
    if (!commits) return;
    // First new orders and password checks end, then the issuer (its last results are still stored), then the
    // commits.
    std::unique_ptr<Issuer> last;
    {
        const std::lock_guard guard{issuer_mutex};
        ending = true;
        last = std::move(issuer);
    }
    passwords.stop();
    last.reset();
    if (notices) leave();
    commits->stop();
    for (const auto& [order_id, waiter] : waiters)
        waiter->answer(std::move(waiter->pending));
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

Result<void> Engine::Impl::change(std::function<Result<void>(Records&)> what)
{
    auto outcome = std::make_shared<std::promise<Result<void>>>();
    auto future = outcome->get_future();
    const bool taken =
        commits->post({[what = std::move(what), outcome](store::Database& database,
                                                         store::GroupCommit::After& after) -> Result<void> {
                           Records records{database};
                           ACMETOOL_CHECK(what(records));
                           after.push_back([outcome] { outcome->set_value({}); });
                           return {};
                       },
                       [outcome](const Error& error) { outcome->set_value(fail(error)); }});
    if (!taken) return fail(Errc::temporary, "too many requests are waiting");
    return future.get();
}

Result<std::size_t> Engine::Impl::count_inventory(const Files& in_use)
{
    if (!in_use.inventory_in_store) return in_use.inventory.size();
    const std::lock_guard guard{counting_mutex};
    ACMETOOL_TRY(counts, InventoryRecords{*counting}.count());
    return static_cast<std::size_t>(counts.devices);
}

/// A reload from a file to the store refuses what one to another file does (SEC-33).
Result<void> Engine::Impl::check_inventory_in_store(const Files& fresh, const Options& options)
{
    const auto old = files();
    if (!fresh.inventory_in_store || old->inventory.empty() || options.idevid.allow_empty) return {};
    ACMETOOL_TRY(devices, count_inventory(fresh));
    if (devices > 0) return {};
    return fail(
        Errc::config,
        fmt::format("the inventory in the store lists none, but {} devices are in use",
                    old->inventory.size()),
        "run inventory import before inventory_in_store is set; if that is intended, set allow_empty = "
        "true in [clients.idevid]",
        "fileCut");
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
        const std::lock_guard guard{counting_mutex};
        if (const auto counts = Records{*counting}.count_orders())
            for (const auto& [state, number] : *counts)
                orders[std::string{ra::name_of(state)}] = number;
        if (const auto oldest = Records{*counting}.oldest_unfinished(); oldest && *oldest)
            status["oldestPending"] = base::to_rfc3339(**oldest);
    }
    status["orders"] = std::move(orders);
    const auto in_use = files();
    if (in_use->inventory_in_store || !settings()->idevid.inventory.empty()) {
        status["inventory"] = {{"in", in_use->inventory_in_store ? "store" : "file"}};
        if (const auto devices = count_inventory(*in_use)) status["inventory"]["devices"] = *devices;
    }
    Json offered = Json::array();
    for (const auto& certificate : ca_set.offered())
        offered.push_back({{"subject", certificate.subject()},
                           {"notBefore", base::to_rfc3339(certificate.not_before())},
                           {"notAfter", base::to_rfc3339(certificate.not_after())}});
    status["cacerts"] = {{"certificates", std::move(offered)}};
    if (const auto problem = ca_set.problem(); !problem.empty()) status["cacerts"]["error"] = problem;
    if (const auto problem = commits->problem()) status["store"] = {{"error", problem->message}};
    if (notices) status["relays"] = sharing();
    Json numbers = Json::object();
    for (const auto& [name, number] : counters)
        numbers[name] = number.load();
    status["counters"] = std::move(numbers);
    return status;
}

void Engine::Impl::replace(const std::shared_ptr<const Options>& fresh,
                           std::shared_ptr<const Files> its_files, CaFiles ca_files,
                           std::unique_ptr<Issuer> next)
{
    {
        const std::lock_guard guard{settings_mutex};
        current_options = fresh;
        current_files = std::move(its_files);
    }
    ca_set.set_files(std::move(ca_files), now());
    commits->post({[this, fresh](store::Database&, store::GroupCommit::After& after) -> Result<void> {
                       after.push_back([this, fresh] { decider.configure(fresh); });
                       return {};
                   },
                   nullptr});
    if (next) hand_over(std::move(next));
}

Engine::Engine(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Engine::~Engine() = default;

Result<std::unique_ptr<Engine>> Engine::open(Options options, enrol::EventSink* events,
                                             base::Context& context,
                                             std::shared_ptr<const crypto::FetchedCrls> crls)
{
    Parts parts;
    parts.events = events;
    parts.context = &context;
    parts.crls = std::move(crls);
    return open(std::move(options), std::move(parts));
}

Result<std::unique_ptr<Engine>> Engine::open(Options options, Parts parts)
{
    ACMETOOL_CHECK(check_domains(options));
    ACMETOOL_TRY(files, Files::read(options, parts.crls));
    ACMETOOL_TRY(ca_files, read_ca_files(options.cacerts));
    base::Context nobody;
    store::FileLock lock;
    ACMETOOL_TRY(database,
                 own_store(options.store, lock, parts.context != nullptr ? *parts.context : nobody));
    const bool is_shared = database->is_shared();
    ACMETOOL_TRY(reader, database->reopen());
    ACMETOOL_TRY(counting, database->reopen());
    Records records{*database};
    // On a shared store, what was spent is counted anew each time, and what an earlier run left is taken over
    // with the first prolongation of the lease.
    std::vector<Records::Spent> spent;
    std::vector<OrderRow> unfinished;
    if (!is_shared) {
        ACMETOOL_TRY(counted, records.spent());
        spent = std::move(counted);
        ACMETOOL_TRY(left, records.unfinished(""));
        unfinished = std::move(left);
    }
    ACMETOOL_TRY(intermediates, records.intermediates());
    const bool given = parts.issuer != nullptr;
    Bytes issuer_files;
    if (!given) {
        ACMETOOL_TRY(digest, Impl::digest_of_issuer_files(options));
        issuer_files = std::move(digest);
        ACMETOOL_TRY(issuer, Impl::make_issuer(options));
        parts.issuer = std::move(issuer);
    }
    Budget budget{options.limits};
    budget.load(spent);
    auto impl = std::make_unique<Impl>(std::move(options), parts, given, std::move(lock), std::move(reader),
                                       std::move(budget));
    impl->counting = std::move(counting);
    impl->issuer_files = std::move(issuer_files);
    impl->current_files = std::make_shared<const Files>(std::move(files));
    impl->ca_set.set_files(std::move(ca_files), impl->now());
    impl->ca_set.set_intermediates(intermediates, impl->now());
    auto* self = impl.get();
    if (is_shared) ACMETOOL_CHECK(impl->enter(*database));
    // After an uncertain commit, which only a server has, there may be orders that nobody drives.
    impl->commits = std::make_shared<store::GroupCommit>(std::move(database), "store",
                                                         [self] { self->begin_run_anew(); });
    impl->issuer->attach(*self);
    impl->commits->post({[self, rows = std::move(unfinished)](
                             store::Database&, store::GroupCommit::After& after) -> Result<void> {
                             after.push_back([self, rows] { self->resume(rows); });
                             return {};
                         },
                         nullptr});
    impl->commits->worker().post([self] { self->purge(); });
    if (is_shared) impl->share();
    return std::unique_ptr<Engine>{new Engine(std::move(impl))};
}

void Engine::enrol(enrol::EnrolRequest request, std::function<void(enrol::Decision)> done)
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
    return impl_->change([device](Records& records) -> Result<void> {
        ACMETOOL_CHECK(records.unblock(device));
        return {};
    });
}

Result<std::function<void()>> Engine::prepare(Options options)
{
    const auto old = impl_->settings();
    options.store = old->store;
    ACMETOOL_CHECK(check_domains(options));
    ACMETOOL_TRY(files, Files::read(options, impl_->crls));
    ACMETOOL_CHECK(check_replacement(*impl_->files(), files, options));
    ACMETOOL_CHECK(impl_->check_inventory_in_store(files, options));
    ACMETOOL_TRY(ca_files, read_ca_files(options.cacerts));
    auto next = std::make_shared<std::unique_ptr<Issuer>>();
    auto issuer_files = impl_->issuer_files;
    if (!impl_->issuer_is_given) {
        ACMETOOL_TRY(digest, Impl::digest_of_issuer_files(options));
        issuer_files = std::move(digest);
        if (!same_issuer(*old, options) || issuer_files != impl_->issuer_files) {
            ACMETOOL_TRY(issuer, Impl::make_issuer(options));
            *next = std::move(issuer);
        }
    }
    return [this, next, issuer_files, ca_files = std::move(ca_files),
            fresh = std::make_shared<const Options>(std::move(options)),
            its_files = std::make_shared<const Files>(std::move(files))] {
        impl_->issuer_files = issuer_files;
        impl_->replace(fresh, its_files, ca_files, std::move(*next));
    };
}

Engine::Counts Engine::counts() const
{
    const auto files = impl_->files();
    return {impl_->count_inventory(*files).value_or(0), files->users.size(), files->digest_users.size(),
            impl_->settings()->labels.size()};
}

std::vector<std::string> Engine::warnings() const
{
    const auto files = impl_->files();
    auto warnings = warnings_of(*files, *impl_->settings());
    if (const auto devices = impl_->count_inventory(*files);
        files->inventory_in_store && devices && *devices == 0)
        warnings.emplace_back("the inventory in the store lists no devices");
    return warnings;
}

std::shared_ptr<store::GroupCommit> Engine::commits() const
{
    return impl_->commits;
}

std::string Engine::run() const
{
    const std::lock_guard guard{impl_->member_mutex};
    return impl_->member.run;
}

Result<std::unique_ptr<store::Database>> Engine::connect() const
{
    const std::lock_guard guard{impl_->reader_mutex};
    return impl_->reader->reopen();
}

Json Engine::issuer_status()
{
    const std::lock_guard guard{impl_->issuer_mutex};
    return impl_->issuer ? impl_->issuer->status() : Json::object();
}

std::string_view Engine::help_of(std::string_view counter)
{
    const auto* const found = std::find_if(std::begin(kCounters), std::end(kCounters),
                                           [&](const Counter& one) { return one.name == counter; });
    return found == std::end(kCounters) ? std::string_view{} : std::string_view{found->help};
}

Json Engine::status()
{
    return impl_->status();
}

Result<void> Engine::ready()
{
    {
        const std::lock_guard guard{impl_->reader_mutex};
        ACMETOOL_CHECK(impl_->reader->check_place());
    }
    if (const auto problem = impl_->commits->problem()) return fail(*problem);
    if (impl_->ca_set.offered().empty())
        return fail(Errc::config, "/cacerts has no certificate", "set root to the CA's root certificate");
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
