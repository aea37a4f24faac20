#include "acme-order/kept.h"

#include <algorithm>
#include <filesystem>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "acme-order/wanted.h"
#include "store/configured.h"

namespace acmetool::cli
{
namespace
{

constexpr std::string_view kRenew = "acme-order renew";

KeptEntry unreadable(const std::string& name, const Error& error)
{
    return {.kind = "certificate",
            .name = name,
            .state = KeptState::unknown,
            .wrong = error.message,
            .next = error.hint};
}

/// What does not fit the request; empty: all does.
std::string misfit(const crypto::Certificate& certificate, const acme::OrderTask& task)
{
    if (!certificate.public_key().same_public_key(task.csr.key))
        return "its key is not the key of the request";
    if (certificate.identifiers() != task.identifiers) return "its names are not the names of the request";
    return {};
}

KeptEntry entry_of(const acme::StateDirectory& state, const acme::CertificateWish& wish, base::TimePoint now)
{
    const auto plan = acme::plan_renewal(state, wish, now);
    if (!plan) return unreadable(wish.file, plan.error());
    KeptEntry entry{.kind = "certificate",
                    .name = wish.file,
                    .identifiers = wish.task.identifiers,
                    .last_success = acme::time_member(*plan->entry, "lastSuccess"),
                    .failure = acme::kept_failure(*plan->entry)};
    const auto& current = plan->current;
    if (current) {
        entry.identifiers = current->identifiers();
        entry.serial = current->serial();
        entry.expires = current->not_after();
        entry.renew_at = std::max(*plan->renew_at, current->not_before());
        entry.by_renewal_info = plan->by_renewal_info;
    }
    judge(entry, kRenew, now);
    const auto fault = current ? misfit(*current, wish.task) : std::string{};
    if (!fault.empty() && entry.state != KeptState::expired) {
        entry.state = KeptState::mismatch;
        entry.wrong = entry.failure ? fmt::format("{}; {}", fault, entry.wrong) : fault;
        if (!entry.failure) entry.next = fmt::format("{} replaces it with its next run", kRenew);
    }
    return entry;
}

/// A certificate of which only its file is known.
KeptEntry entry_of(const acme::StateDirectory& state, const acme::KeptCertificate& kept,
                   const std::optional<base::Margin>& before, base::TimePoint now)
{
    if (kept.file.empty())
        return {.kind = "certificate",
                .name = fmt::format("{}/certificates/{}.json", state.path(), kept.id),
                .state = KeptState::unknown,
                .wrong = "the entry does not say for which file it is",
                .next = fmt::format("the next renewal by {} writes it", kRenew)};
    acme::CertificateWish wish;
    wish.file = kept.file;
    wish.before = before;
    std::error_code none;
    if (std::filesystem::exists(kept.file, none)) {
        const auto certificates = store::read_configured_certificates(kept.file);
        if (!certificates) return unreadable(kept.file, certificates.error());
        wish.task.identifiers = certificates->front().identifiers();
        wish.task.csr.key = certificates->front().public_key();
    }
    return entry_of(state, wish, now);
}

KeptEntry entry_of(const acme::KeptOrder& order)
{
    return {.kind = "order",
            .name = order.identifiers.empty() ? order.id : order.identifiers.front().value,
            .state = KeptState::unfinished,
            .identifiers = order.identifiers,
            .url = order.url,
            .since = order.since,
            .wrong = order.has_certificate ? "its certificate was not written" : "the order is not finished",
            .next = "the command that began it, run again, goes on with it"};
}

class Survey
{
public:
    Survey(Verb& renew, RenewOptions& options, Io& io)
        : renew_(renew), options_(options), now_(io.context().now()), io_(io)
    {
    }

    Result<KeptList> go();

private:
    Result<void> of_account();
    Result<void> of_file(const ConfiguredFile& file);
    KeptEntry wanted_entry(const acme::StateDirectory& state, const std::string& file);
    /// Notes the account of the present options, and the orders in its state. Once for each.
    Result<acme::StateDirectory> visit();

    Verb& renew_;
    RenewOptions& options_;
    base::TimePoint now_;
    Io& io_;
    KeptList list_;
    std::vector<KeptEntry> orders_;
    std::vector<std::string> visited_; ///< state directories
};

Result<acme::StateDirectory> Survey::visit()
{
    const auto& file = options_.client.account_file;
    if (std::none_of(list_.accounts.begin(), list_.accounts.end(),
                     [&](const auto& account) { return account.file == file; })) {
        const auto account = acme::load_account(file);
        if (!account && options_.config_dir.empty()) return fail(account.error());
        list_.accounts.push_back(account ? KeptAccount{file, account->directory, account->url, {}}
                                         : KeptAccount{file, {}, {}, account.error().message});
    }
    ACMETOOL_TRY(state, acme::StateDirectory::find(options_.client.state_directory, file));
    if (std::find(visited_.begin(), visited_.end(), state.path()) != visited_.end()) return std::move(state);
    visited_.push_back(state.path());
    for (const auto& order : acme::kept_orders(state))
        orders_.push_back(entry_of(order));
    return std::move(state);
}

Result<void> Survey::of_account()
{
    ACMETOOL_TRY(state, visit());
    for (const auto& kept : acme::kept_certificates(state))
        list_.entries.push_back(entry_of(state, kept, options_.before, now_));
    return {};
}

KeptEntry Survey::wanted_entry(const acme::StateDirectory& state, const std::string& file)
{
    acme::CertificateWish wish;
    wish.file = file;
    wish.before = options_.before;
    const auto csr = request_of(options_, file, io_);
    if (!csr) return unreadable(file, csr.error());
    auto task = order_task(*csr, options_.order, now_);
    if (!task) return unreadable(file, task.error());
    wish.task = std::move(*task);
    return entry_of(state, wish, now_);
}

Result<void> Survey::of_file(const ConfiguredFile& file)
{
    if (!file.given) {
        list_.entries.push_back(unreadable(file.name, file.given.error()));
        return {};
    }
    const auto state = visit();
    list_.entries.push_back(state ? wanted_entry(*state, file.given->output)
                                  : unreadable(file.given->output, state.error()));
    return {};
}

Result<KeptList> Survey::go()
{
    ACMETOOL_CHECK(options_.config_dir.empty()
                       ? of_account()
                       : for_each_file(renew_, options_, [&](const auto& file) { return of_file(file); }));
    std::move(orders_.begin(), orders_.end(), std::back_inserter(list_.entries));
    return std::move(list_);
}

} // namespace

void add_kept_options(Verb& verb, RenewOptions& options)
{
    verb.option("--config-dir DIR", options.config_dir,
                "Certificates of the .toml files in this folder, as renew has them")
        .option("--before DURATION", options.before,
                "As renew has it: a duration or a share of the lifetime");
}

Result<KeptList> look_at_kept(Verb& renew, RenewOptions& options, Io& io)
{
    return Survey{renew, options, io}.go();
}

} // namespace acmetool::cli
