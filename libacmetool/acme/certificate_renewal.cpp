#include "acme/certificate_renewal.h"

#include <charconv>
#include <filesystem>
#include <functional>
#include <random>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "acme/certificate_id.h"
#include "base/process.h"
#include "base/text.h"
#include "store/atomic_file.h"

namespace acmetool::acme
{
namespace
{

using base::Json;

std::string whole_name(const std::string& file)
{
    std::error_code none;
    return std::filesystem::absolute(file, none).string();
}

StateDirectory::Key key_of(const std::string& file)
{
    return {"certificates", entry_id({whole_name(file)})};
}

Result<std::optional<crypto::Certificate>> read_current(const std::string& file)
{
    std::error_code none;
    if (!std::filesystem::exists(file, none)) return std::optional<crypto::Certificate>{};
    ACMETOOL_TRY(text, store::read_file(file));
    if (base::trim(text).empty()) return std::optional<crypto::Certificate>{};
    auto certificates = crypto::parse_certificates(text, file);
    if (!certificates) {
        certificates.error().hint =
            "a file that is not a certificate is not overwritten: choose another file";
        return fail(std::move(certificates).error());
    }
    return std::optional{certificates->front()};
}

base::TimePoint due_by_life(const CertificateWish& wish, const crypto::Certificate& certificate)
{
    return wish.before.value_or(base::Margin{}).due(certificate.not_before(), certificate.not_after());
}

/// The time of renewal: from its lifetime, or from the CA's suggestion for this certificate in the state.
void decide_when(CertificatePlan& plan, const CertificateWish& wish, base::TimePoint now)
{
    const auto& current = *plan.current;
    plan.renew_at = due_by_life(wish, current);
    plan.by_renewal_info = false;
    const auto id = certificate_id(current);
    const auto known = plan.entry->find("renewalInfo");
    const bool of_this = known != plan.entry->end() && id && base::string_member(*known, "certID") == *id;
    // RFC 9773 section 4.3: not after it expired. After the clock was set back, one request too many is sent.
    plan.ask = id && now < current.not_after();
    if (of_this && plan.ask)
        if (const auto next = time_member(*known, "askAgain"))
            plan.ask = now >= *next || *next > now + std::chrono::hours{25};
    if (!of_this) return;
    const auto wanted = time_member(*known, "renewAt");
    // A suggested time after the certificate's expiry is ignored.
    if (!wanted || *wanted >= current.not_after()) return;
    if (wish.before && *plan.renew_at <= *wanted) return;
    plan.renew_at = *wanted;
    plan.by_renewal_info = true;
}

/// Processes one certificate in a run, under the lock of its entry.
class Keeper
{
public:
    Keeper(Client& client, const CertificateWish& wish)
        : client_(client), wish_(wish), key_(key_of(wish.file))
    {
    }

    Result<CertificateRenewal> go();

private:
    void ask();
    Result<void> order(CertificateRenewal& renewal);
    Result<OrderOutcome> new_certificate();
    Result<void> deploy(CertificateRenewal& renewal);
    Result<void> work(CertificateRenewal& renewal);
    Result<void> save()
    {
        (*plan_.entry)["file"] = whole_name(wish_.file);
        return client_.state().save(key_, *plan_.entry);
    }

    Client& client_;
    const CertificateWish& wish_;
    StateDirectory::Key key_;
    CertificatePlan plan_;
};

/// A missing answer is not a failure: the share of the lifetime decides, and the request is repeated later.
void Keeper::ask()
{
    const auto now = client_.context().now();
    auto answer = fetch_renewal_info(client_, *plan_.current);
    Json known{{"certID", certificate_id(*plan_.current).value_or("")}};
    const auto before = plan_.entry->find("renewalInfo");
    const auto unchanged = [&](const char* member) {
        return before != plan_.entry->end() &&
               base::string_member(*before, member) == base::string_member(known, member);
    };
    if (!answer) {
        const bool offered = answer.error().reason != Cause::renewal_info_unsupported;
        client_.context().log(offered ? base::Level::warning : base::Level::detail, answer.error().message);
        // The window that the CA told before still stands.
        if (offered && unchanged("certID")) known = *before;
        // RFC 9773 section 4.3: after long-lived errors "retry after six hours".
        known["askAgain"] = base::to_rfc3339(now + kRenewalInfoRetry);
    } else {
        const auto& info = answer->info;
        known["start"] = base::to_rfc3339(info.start);
        known["end"] = base::to_rfc3339(info.end);
        known["askAgain"] = base::to_rfc3339(now + answer->ask_again);
        const bool same =
            unchanged("certID") && unchanged("start") && unchanged("end") && before->contains("renewAt");
        // The moment is chosen only once per window: a new choice in every run would always lead to an early
        // one.
        known["renewAt"] =
            same
                ? (*before)["renewAt"]
                : Json(base::to_rfc3339(moment_in(info, static_cast<std::uint32_t>(std::random_device{}()))));
        if (!info.explanation_url.empty())
            client_.context().log(base::Level::info, fmt::format("{}: the CA explains its renewal window: {}",
                                                                 wish_.file, info.explanation_url));
    }
    (*plan_.entry)["renewalInfo"] = std::move(known);
    decide_when(plan_, wish_, now);
    plan_.due = plan_.due || (plan_.by_renewal_info && now >= *plan_.renew_at);
}

Result<OrderOutcome> Keeper::new_certificate()
{
    auto task = wish_.task;
    task.goal = OrderFlow::Goal::downloaded;
    // RFC 9773 section 5: "Clients SHOULD include this field in New Order requests if there is a clear
    // predecessor certificate"; only to servers that know it (EXT-04).
    if (plan_.current && !client_.directory().renewal_info.empty())
        task.replaces = certificate_id(*plan_.current).value_or("");
    ACMETOOL_TRY(outcome, carry_out(client_, task));
    // The unfetched order of an earlier command is not a new certificate.
    if (plan_.current && !outcome.chain.empty() &&
        outcome.chain.front().sha256() == plan_.current->sha256()) {
        delivered(client_, outcome);
        return carry_out(client_, std::move(task));
    }
    return outcome;
}

Result<void> Keeper::order(CertificateRenewal& renewal)
{
    ACMETOOL_TRY(outcome, new_certificate());
    if (outcome.not_yet) {
        Error error;
        error.code = Errc::temporary;
        error.message = fmt::format("order {} is still {}", outcome.order.url, outcome.order.status);
        error.hint = "run the same command again";
        error.reason = "orderPending";
        error.retry_after = outcome.retry_after;
        return fail(std::move(error));
    }
    const auto& leaf = outcome.chain.front();
    if (!wish_.deploy_hook.empty()) {
        (*plan_.entry)["deploy"] = to_hex(leaf.sha256());
        ACMETOOL_CHECK(save());
    }
    ACMETOOL_CHECK(store::write_output(wish_.file, crypto::to_pem(outcome.chain), 0644, client_.context()));
    delivered(client_, outcome);
    plan_.entry->erase("renewalInfo");
    plan_.current = leaf;
    plan_.deploy_pending = !wish_.deploy_hook.empty();
    renewal.changed = true;
    renewal.path = outcome.path;
    renewal.not_after = leaf.not_after();
    renewal.renew_at = due_by_life(wish_, leaf);
    renewal.by_renewal_info = false;
    return {};
}

Result<void> Keeper::deploy(CertificateRenewal& renewal)
{
    std::string names;
    for (const auto& identifier : wish_.task.identifiers)
        names += (names.empty() ? "" : ",") + identifier.value;
    std::error_code none;
    const auto ended = base::run_program(
        {.arguments = {std::filesystem::absolute(wish_.deploy_hook, none).string()},
         .environment = {"ACMETOOL_CERT=" + std::filesystem::absolute(wish_.file, none).string(),
                         "ACMETOOL_NAMES=" + names, "ACMETOOL_SERIAL=" + plan_.current->serial(),
                         "ACMETOOL_NOT_AFTER=" + base::to_rfc3339(plan_.current->not_after())},
         .timeout = wish_.hook_timeout,
         .inherit = wish_.hook_env,
         .completes = true,
         .name = "deploy hook " + wish_.deploy_hook},
        client_.context());
    if (!ended && ended.error().code == Errc::interrupted) return fail(ended.error());
    renewal.deployed = ended && ended->status == 0;
    if (*renewal.deployed) {
        plan_.entry->erase("deploy");
        return {};
    }
    return fail(Errc::config,
                ended ? fmt::format("--deploy-hook {}: exit status {}", wish_.deploy_hook, ended->status)
                      : "--deploy-hook: " + ended.error().message,
                "the certificate was renewed and written, but the service that uses it was not notified: the "
                "next run calls the hook again",
                Cause::deploy_hook_failed);
}

Result<void> Keeper::work(CertificateRenewal& renewal)
{
    if (plan_.due) ACMETOOL_CHECK(order(renewal));
    if (plan_.deploy_pending) ACMETOOL_CHECK(deploy(renewal));
    return {};
}

Result<CertificateRenewal> Keeper::go()
{
    ACMETOOL_TRY(lock, client_.state().lock(key_, client_.context()));
    // Plan under the lock: another run may have renewed it in the meantime.
    ACMETOOL_TRY(plan, plan_renewal(client_.state(), wish_, client_.context().now()));
    plan_ = std::move(plan);
    if (!plan_.due && plan_.ask) ask();
    auto renewal = as_planned(wish_, plan_);
    const auto done = work(renewal);
    if (!done && done.error().code == Errc::interrupted) return fail(done.error());
    if (!done) {
        renewal.error = with_context(done.error(), wish_.file);
        keep_failure(*plan_.entry, *renewal.error, client_.context().now());
    } else {
        renewal.last_success = client_.context().now();
        (*plan_.entry)["lastSuccess"] = base::to_rfc3339(*renewal.last_success);
        forget_failure(*plan_.entry);
    }
    ACMETOOL_CHECK(save());
    static_cast<void>(lock);
    return renewal;
}

} // namespace

Result<CertificatePlan> plan_renewal(const StateDirectory& state, const CertificateWish& wish,
                                     base::TimePoint now)
{
    CertificatePlan plan;
    ACMETOOL_TRY(entry, state.load(key_of(wish.file)));
    plan.entry = std::make_shared<Json>(entry ? std::move(*entry) : Json::object());
    ACMETOOL_TRY(current, read_current(wish.file));
    plan.current = std::move(current);
    if (!plan.current) return plan;
    const auto& certificate = *plan.current;
    decide_when(plan, wish, now);
    plan.deploy_pending = !wish.deploy_hook.empty() &&
                          base::string_member(*plan.entry, "deploy") == to_hex(certificate.sha256());
    plan.due = now >= *plan.renew_at || certificate.identifiers() != wish.task.identifiers ||
               !certificate.public_key().same_public_key(wish.task.csr.key);
    return plan;
}

CertificateRenewal as_planned(const CertificateWish& wish, const CertificatePlan& plan)
{
    CertificateRenewal renewal;
    renewal.file = wish.file;
    renewal.identifiers = wish.task.identifiers;
    if (plan.current) renewal.not_after = plan.current->not_after();
    renewal.renew_at = plan.renew_at;
    renewal.by_renewal_info = plan.by_renewal_info;
    renewal.last_success = time_member(*plan.entry, "lastSuccess");
    return renewal;
}

namespace
{

/// A state that cannot be read or written is no failure here.
void change_entry(StateDirectory& state, const std::string& file, base::Context& context,
                  const std::function<void(Json&)>& change)
{
    const auto key = key_of(file);
    const auto lock = state.lock(key, context);
    const auto known = state.load(key);
    if (!lock || !known) return;
    auto entry = *known ? **known : Json::object();
    entry["file"] = whole_name(file);
    change(entry);
    static_cast<void>(state.save(key, entry));
}

} // namespace

CertificateRenewal last_known(const StateDirectory& state, const std::string& file)
{
    CertificateRenewal renewal;
    renewal.file = file;
    if (const auto current = read_current(file); current && *current) {
        renewal.identifiers = (*current)->identifiers();
        renewal.not_after = (*current)->not_after();
    }
    if (const auto entry = state.load(key_of(file)); entry && *entry)
        renewal.last_success = time_member(**entry, "lastSuccess");
    return renewal;
}

void keep_failed_renewal(StateDirectory& state, const std::string& file, const Error& error,
                         base::Context& context)
{
    change_entry(state, file, context, [&](Json& entry) { keep_failure(entry, error, context.now()); });
}

void forget_failed_renewal(StateDirectory& state, const std::string& file, base::Context& context)
{
    change_entry(state, file, context, forget_failure);
}

std::vector<KeptCertificate> kept_certificates(const StateDirectory& state)
{
    std::vector<KeptCertificate> kept;
    for (const auto& id : state.list("certificates")) {
        const auto entry = state.load({"certificates", id});
        const auto file = entry && *entry ? base::string_member(**entry, "file") : std::nullopt;
        kept.push_back({file.value_or(""), id});
    }
    return kept;
}

CertificateRenewal left_alone(const CertificateWish& wish, const CertificatePlan& plan, base::TimePoint now)
{
    auto renewal = as_planned(wish, plan);
    renewal.last_success = now;
    return renewal;
}

Result<CertificateRenewal> renew_certificate(Client& client, const CertificateWish& wish)
{
    auto renewal = Keeper{client, wish}.go();
    if (renewal || renewal.error().code == Errc::interrupted) return renewal;
    auto failed = last_known(client.state(), wish.file);
    failed.identifiers = wish.task.identifiers;
    failed.error = with_context(renewal.error(), wish.file);
    return failed;
}

Json to_json(const CertificateRenewal& renewal)
{
    Json identifiers = Json::array();
    for (const auto& identifier : renewal.identifiers)
        identifiers.push_back({{"type", identifier.type}, {"value", identifier.value}});
    Json entry{{"file", renewal.file}, {"identifiers", std::move(identifiers)}, {"changed", renewal.changed}};
    if (renewal.not_after) entry["notAfter"] = base::to_rfc3339(*renewal.not_after);
    if (renewal.renew_at) {
        entry["renewAt"] = base::to_rfc3339(*renewal.renew_at);
        entry["renewBy"] = renewal.by_renewal_info ? "renewalInfo" : "lifetime";
    }
    if (!renewal.path.empty()) entry["path"] = renewal.path;
    if (renewal.deployed) entry["deployed"] = *renewal.deployed;
    if (renewal.error) {
        entry["error"] = renewal.error->message;
        entry["code"] = name_of(*renewal.error);
    }
    return entry;
}

namespace
{

/// A file's name as the value of a label.
std::string file_label(const std::string& file)
{
    std::string text;
    for (const char c : file) {
        if (c == '"' || c == '\\') text += '\\';
        text += c == '\n' ? '?' : c;
    }
    return text;
}

} // namespace

std::string metrics_of(const std::vector<CertificateRenewal>& renewals)
{
    std::string text = "# HELP acme_certificate_expires_timestamp_seconds When the certificate expires.\n"
                       "# TYPE acme_certificate_expires_timestamp_seconds gauge\n";
    for (const auto& renewal : renewals)
        if (renewal.not_after)
            text += fmt::format("acme_certificate_expires_timestamp_seconds{{file=\"{}\"}} {}\n",
                                file_label(renewal.file), renewal.not_after->time_since_epoch().count());
    text +=
        "# HELP acme_last_success_timestamp_seconds When the certificate was last renewed or found not due.\n"
        "# TYPE acme_last_success_timestamp_seconds gauge\n";
    for (const auto& renewal : renewals)
        if (renewal.last_success)
            text += fmt::format("acme_last_success_timestamp_seconds{{file=\"{}\"}} {}\n",
                                file_label(renewal.file), renewal.last_success->time_since_epoch().count());
    text += "# HELP acme_renewal_failed Whether the last run failed for this certificate.\n"
            "# TYPE acme_renewal_failed gauge\n";
    for (const auto& renewal : renewals)
        text += fmt::format("acme_renewal_failed{{file=\"{}\"}} {}\n", file_label(renewal.file),
                            renewal.error ? 1 : 0);
    return text;
}

std::optional<base::TimePoint> last_success_in(std::string_view metrics, const std::string& file)
{
    const auto series = fmt::format("acme_last_success_timestamp_seconds{{file=\"{}\"}} ", file_label(file));
    for (const auto line : base::split(metrics, '\n')) {
        if (!line.starts_with(series)) continue;
        const auto digits = std::string_view{line}.substr(series.size());
        std::int64_t seconds = 0;
        const auto [end, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), seconds);
        if (problem == std::errc{} && end == digits.data() + digits.size())
            return base::TimePoint{std::chrono::seconds{seconds}};
    }
    return std::nullopt;
}

} // namespace acmetool::acme
