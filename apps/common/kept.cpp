#include "common/kept.h"

#include <algorithm>
#include <filesystem>
#include <map>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "base/fold.h"
#include "base/text.h"

namespace acmetool::cli
{
namespace
{

constexpr std::size_t kColumns = 60;

constexpr KeptState kAllStates[] = {
    KeptState::expired, KeptState::missing,    KeptState::mismatch, KeptState::overdue, KeptState::failed,
    KeptState::narrow,  KeptState::unfinished, KeptState::unknown,  KeptState::due,     KeptState::well};

/// A peer's or a user's text, for the screen.
std::string shown(std::string_view text)
{
    return base::printable(text, 1000);
}

std::string names_in(const std::vector<crypto::Identifier>& identifiers)
{
    std::vector<std::string> names;
    names.reserve(identifiers.size());
    for (const auto& identifier : identifiers)
        names.push_back(shown(identifier.value));
    return base::join(names, ", ");
}

std::string failure_text(const acme::KeptFailure& failure)
{
    return fmt::format("the run at {} failed: {}", base::to_rfc3339(failure.at), shown(failure.message));
}

/// What to do about a failed run.
std::string after_failure(const acme::KeptFailure& failure, std::string_view program)
{
    const auto again = failure.not_before
                           ? fmt::format("the CA wants no request before {}; then {} tries again",
                                         base::to_rfc3339(*failure.not_before), program)
                           : fmt::format("{} tries again with its next run", program);
    return failure.hint.empty() ? again : shown(failure.hint) + "; " + again;
}

/// "3 days"; also of what is over.
std::int64_t days_until(base::TimePoint end, base::TimePoint now)
{
    return std::chrono::floor<std::chrono::days>(end - now).count();
}

void add_line(std::string& screen, std::string_view label, std::string_view text)
{
    constexpr std::size_t kIndent = 16;
    bool is_first = true;
    for (const auto& part : base::folded(text, kColumns - kIndent)) {
        screen += fmt::format("  {:<{}}{}\n", is_first ? label : std::string_view{}, kIndent - 2, part);
        is_first = false;
    }
}

base::Json json_of(const KeptEntry& entry)
{
    base::Json identifiers = base::Json::array();
    for (const auto& identifier : entry.identifiers)
        identifiers.push_back({{"type", identifier.type}, {"value", shown(identifier.value)}});
    base::Json object{{"kind", entry.kind},
                      {"name", shown(entry.name)},
                      {"state", name_of(entry.state)},
                      {"alarm", name_of(alarm_of(entry.state))},
                      {"identifiers", std::move(identifiers)}};
    const auto add = [&](const char* member, const std::string& text) {
        if (!text.empty()) object[member] = shown(text);
    };
    const auto add_time = [&](const char* member, const std::optional<base::TimePoint>& time) {
        if (time) object[member] = base::to_rfc3339(*time);
    };
    add("serial", entry.serial);
    add("url", entry.url);
    add_time("since", entry.since);
    add_time("expires", entry.expires);
    add_time("renewAt", entry.renew_at);
    if (entry.renew_at) object["renewBy"] = entry.by_renewal_info ? "renewalInfo" : "lifetime";
    add_time("lastSuccess", entry.last_success);
    if (entry.failure)
        object["lastFailure"] = {{"at", base::to_rfc3339(entry.failure->at)},
                                 {"code", shown(entry.failure->code)},
                                 {"error", shown(entry.failure->message)}};
    add("wrong", entry.wrong);
    add("next", entry.next);
    return object;
}

base::Json json_of(const KeptAccount& account)
{
    base::Json object{{"file", shown(account.file)}};
    if (!account.problem.empty()) {
        object["error"] = shown(account.problem);
        return object;
    }
    object["directory"] = shown(account.directory);
    object["url"] = shown(account.url);
    return object;
}

std::map<KeptState, std::size_t> count(const std::vector<KeptEntry>& entries)
{
    std::map<KeptState, std::size_t> counts;
    for (const auto& entry : entries)
        ++counts[entry.state];
    return counts;
}

Alarm worst(const KeptList& list)
{
    auto alarm = Alarm::well;
    for (const auto& entry : list.entries)
        alarm = worse(alarm, alarm_of(entry.state));
    return alarm;
}

Result<void> write(const KeptList& list, const std::string& text, Io& io)
{
    if (!io.json()) return io.write(text);
    base::Json counts = base::Json::object();
    auto found = count(list.entries);
    for (const auto state : kAllStates)
        counts[std::string{name_of(state)}] = found[state];
    base::Json accounts = base::Json::array();
    for (const auto& account : list.accounts)
        accounts.push_back(json_of(account));
    base::Json entries = base::Json::array();
    for (const auto& entry : list.entries)
        entries.push_back(json_of(entry));
    return io.write_document("kept", {{"alarm", name_of(worst(list))},
                                      {"counts", std::move(counts)},
                                      {"accounts", std::move(accounts)},
                                      {"entries", std::move(entries)}});
}

/// "2 certificates: 1 expired, 1 well"
std::string counts_of(const std::vector<KeptEntry>& entries, std::string_view kind)
{
    std::vector<KeptEntry> those;
    std::copy_if(entries.begin(), entries.end(), std::back_inserter(those),
                 [&](const auto& entry) { return entry.kind == kind; });
    if (those.empty()) return {};
    std::vector<std::string> parts;
    auto counts = count(those);
    for (const auto state : kAllStates)
        if (counts[state] > 0) parts.push_back(fmt::format("{} {}", counts[state], name_of(state)));
    return fmt::format("{} {}{}: {}", those.size(), kind, those.size() == 1 ? "" : "s",
                       base::join(parts, ", "));
}

std::string head_of(const KeptList& list)
{
    std::string text;
    for (const std::string_view kind : {"certificate", "authorization", "order"})
        if (const auto line = counts_of(list.entries, kind); !line.empty())
            for (const auto& part : base::folded(line, kColumns))
                text += part + "\n";
    if (list.entries.empty()) text = "nothing is kept\n";
    for (const auto& account : list.accounts)
        for (const auto& part :
             base::folded(account.problem.empty() ? fmt::format("account {}: {} at {}", shown(account.file),
                                                                shown(account.url), shown(account.directory))
                                                  : shown(account.problem),
                          kColumns))
            text += part + "\n";
    return text;
}

} // namespace

std::string_view name_of(Alarm alarm)
{
    constexpr std::string_view kWords[] = {"well", "warning", "critical", "unknown"};
    return kWords[static_cast<std::size_t>(alarm)];
}

Alarm worse(Alarm a, Alarm b)
{
    constexpr int kRank[] = {0, 2, 3, 1};
    return kRank[static_cast<std::size_t>(a)] < kRank[static_cast<std::size_t>(b)] ? b : a;
}

std::string_view name_of(KeptState state)
{
    constexpr std::string_view kWords[] = {"well",    "due",    "unfinished", "unknown", "failed",
                                           "overdue", "narrow", "mismatch",   "missing", "expired"};
    return kWords[static_cast<std::size_t>(state)];
}

Alarm alarm_of(KeptState state)
{
    switch (state) {
    case KeptState::well:
    case KeptState::due:
        return Alarm::well;
    case KeptState::unknown:
        return Alarm::unknown;
    case KeptState::unfinished:
    case KeptState::failed:
    case KeptState::overdue:
    case KeptState::narrow:
        return Alarm::warning;
    case KeptState::mismatch:
    case KeptState::missing:
    case KeptState::expired:
        break;
    }
    return Alarm::critical;
}

void judge(KeptEntry& entry, std::string_view program, base::TimePoint now)
{
    const bool is_missing = !entry.expires && entry.kind == "certificate";
    const bool has_expired = entry.expires && *entry.expires <= now;
    const bool is_due = entry.renew_at && *entry.renew_at <= now;
    if (entry.failure) entry.wrong = failure_text(*entry.failure);
    if (is_missing) {
        entry.state = KeptState::missing;
        if (!entry.failure) entry.wrong = "there is no certificate yet";
    } else if (has_expired) {
        entry.state = KeptState::expired;
        const auto ended = "it expired at " + base::to_rfc3339(*entry.expires);
        entry.wrong = entry.failure ? fmt::format("{}; {}", ended, entry.wrong) : ended;
    } else if (entry.failure) {
        entry.state = KeptState::failed;
    } else if (is_due && entry.expires && now >= *entry.renew_at + (*entry.expires - *entry.renew_at) / 2) {
        entry.state = KeptState::overdue;
        entry.wrong = "it is due since " + base::to_rfc3339(*entry.renew_at);
    } else {
        entry.state = is_due ? KeptState::due : KeptState::well;
    }
    if (entry.failure)
        entry.next = after_failure(*entry.failure, program);
    else if (is_missing)
        entry.next = fmt::format("{} gets the first one with its next run", program);
    else if (has_expired || entry.state == KeptState::overdue)
        entry.next = fmt::format("run {} now, and look at the timer that should run it", program);
    else if (is_due)
        entry.next = fmt::format("{} renews it with its next run", program);
    else if (entry.renew_at)
        entry.next = fmt::format("{} renews it at {}", program, base::to_rfc3339(*entry.renew_at));
}

std::string to_table(const KeptList& list, base::TimePoint now)
{
    auto text = head_of(list);
    if (list.entries.empty()) return text;
    constexpr std::size_t kBeforeName = 40;
    text += fmt::format("\n{:<10}  {:>4}  {:<20}  NAME\n", "STATE", "DAYS", "NEXT RENEWAL");
    for (const auto& entry : list.entries) {
        const auto name = shown(entry.name);
        const auto renewal = !entry.renew_at          ? std::string{"-"}
                             : *entry.renew_at <= now ? std::string{"with the next run"}
                                                      : base::to_rfc3339(*entry.renew_at);
        const bool fits = kBeforeName + name.size() <= kColumns;
        auto line = fmt::format("{:<10}  {:>4}  {:<20}  {}", name_of(entry.state),
                                entry.expires ? std::to_string(days_until(*entry.expires, now)) : "-",
                                renewal, fits ? name : "");
        line.erase(line.find_last_not_of(' ') + 1);
        text += line + "\n";
        if (!fits) text += "    " + name + "\n";
        for (const auto& part : base::folded(entry.wrong, kColumns - 4))
            text += "    " + part + "\n";
    }
    return text;
}

std::string to_screen(const KeptList& list)
{
    std::string screen;
    for (const auto& entry : list.entries) {
        for (const auto& part : base::folded(
                 fmt::format("{} {}: {}", entry.kind, shown(entry.name), name_of(entry.state)), kColumns))
            screen += part + "\n";
        const auto add_time = [&](std::string_view label, const std::optional<base::TimePoint>& time) {
            if (time) add_line(screen, label, base::to_rfc3339(*time));
        };
        if (!entry.identifiers.empty()) add_line(screen, "names", names_in(entry.identifiers));
        if (!entry.serial.empty()) add_line(screen, "serial", entry.serial);
        if (!entry.url.empty()) add_line(screen, "at the CA", shown(entry.url));
        add_time("since", entry.since);
        add_time("expires", entry.expires);
        if (entry.renew_at)
            add_line(screen, "next renewal",
                     fmt::format("{}{}", base::to_rfc3339(*entry.renew_at),
                                 entry.by_renewal_info ? ", as the CA suggests" : ""));
        add_time("last success", entry.last_success);
        if (entry.failure) add_time("last failure", entry.failure->at);
        if (!entry.wrong.empty()) add_line(screen, "wrong", entry.wrong);
        if (!entry.next.empty()) add_line(screen, "next", entry.next);
    }
    return screen;
}

Result<void> show_list(const KeptList& list, Io& io)
{
    return write(list, to_table(list, io.context().now()), io);
}

Result<void> show_status(const KeptList& list, Io& io)
{
    ACMETOOL_CHECK(write(list, to_screen(list), io));
    io.exit_with(static_cast<int>(worst(list)));
    return {};
}

Result<std::vector<KeptEntry>> selected(std::vector<KeptEntry> entries, const std::vector<std::string>& words)
{
    if (words.empty()) return entries;
    namespace fs = std::filesystem;
    std::error_code none;
    std::vector<KeptEntry> chosen;
    for (const auto& word : words) {
        const auto found = std::find_if(entries.begin(), entries.end(), [&](const KeptEntry& entry) {
            return entry.name == word || (entry.kind == "certificate" &&
                                          fs::absolute(entry.name, none) == fs::absolute(word, none));
        });
        if (found == entries.end())
            return fail(Errc::bad_input, fmt::format("{}: nothing is kept of it", base::printable(word, 200)),
                        "the verb list shows what is kept", "unknownEntry");
        chosen.push_back(*found);
    }
    return chosen;
}

Result<std::vector<std::string>> config_files(const std::string& folder)
{
    std::error_code problem;
    std::vector<std::string> files;
    for (const auto& file : std::filesystem::directory_iterator{folder, problem})
        if (file.path().extension() == ".toml") files.push_back(file.path().string());
    if (problem)
        return fail(Errc::config, fmt::format("--config-dir {}: {}", folder, problem.message()), {},
                    "noDirectory");
    std::sort(files.begin(), files.end());
    return files;
}

} // namespace acmetool::cli
