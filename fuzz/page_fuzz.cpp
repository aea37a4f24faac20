// The pages of a relay: the first line is the target of a request, each further one an event of the log,
// whose words a peer wrote. What is remembered of it and what the store has of it are shown.
#include <cctype>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "folder.h"
#include "ra/records.h"
#include "relay/event_row.h"
#include "relay/page.h"

using namespace acmetool;

namespace
{

constexpr std::size_t kMostEvents = 8;
constexpr base::TimePoint kNow{std::chrono::seconds{1'800'000'000}};

/// A store that each run empties.
class PageLab
{
public:
    PageLab()
    {
        config_.ra.store.sqlite = folder_ + "/relay.db";
        database_ = std::move(*ra::Records::open(config_.ra.store));
    }
    ~PageLab()
    {
        database_.reset();
        std::filesystem::remove_all(folder_);
    }

    http::ServerResponse show(const std::string& target, const std::vector<base::Json>& events)
    {
        relay::Recent recent;
        ra::EventRecords records{*database_};
        static_cast<void>(records.purge(ra::EventTime::max()));
        for (const auto& event : events) {
            remember(recent, event);
            auto row = relay::to_row(event);
            row.at = ra::EventTime{kNow};
            row.number = ++number_;
            if (!records.put(row)) __builtin_trap();
        }
        return relay::page_for({config_, "est-relay", "ra.example", recent,
                                [] {
                                    return relay::Health{base::Json::object(), {}};
                                },
                                kNow},
                               target);
    }

private:
    static void remember(relay::Recent& recent, const base::Json& event)
    {
        const auto member = [&event](const char* name) {
            return base::string_member(event, name).value_or("");
        };
        base::Message message;
        message.from = "client";
        message.to = "ra";
        message.label = member("text");
        message.detail = member("client");
        message.request_id = member("request_id");
        message.device = member("device");
        recent.message(message, kNow);
        recent.event(event, kNow);
    }

    const std::string folder_ = fuzz::make_folder();
    relay::Config config_;
    std::unique_ptr<store::Database> database_;
    std::int64_t number_ = 0;
};

/// Traps if a tag of `markup` is none of ours: not closed in its turn, or with what a literal never has.
void check_markup(std::string_view markup)
{
    std::vector<std::string_view> open;
    for (auto at = markup.find('<'); at != std::string_view::npos; at = markup.find('<', at)) {
        const auto end = markup.find('>', at);
        if (end == std::string_view::npos) __builtin_trap();
        const auto tag = markup.substr(at + 1, end - at - 1);
        at = end;
        if (tag.empty() || tag.find('<') != std::string_view::npos) __builtin_trap();
        if (tag.front() == '!' || tag.front() == '?' || tag.back() == '/') continue;
        const auto name = tag.substr(0, tag.find(' '));
        if (name.front() != '/') {
            if (std::islower(static_cast<unsigned char>(name.front())) == 0 || name == "script")
                __builtin_trap();
            open.push_back(name);
            continue;
        }
        if (open.empty() || open.back() != name.substr(1)) __builtin_trap();
        open.pop_back();
    }
    if (!open.empty()) __builtin_trap();
    for (const char c : markup)
        if (static_cast<unsigned char>(c) < 0x20 && c != '\n') __builtin_trap();
}

} // namespace

extern "C" int fuzz_page(const unsigned char* data, std::size_t size)
{
    static PageLab lab;
    const auto lines = base::split({reinterpret_cast<const char*>(data), size}, '\n');
    const std::string target{lines.front()};
    if (!relay::is_page(target)) return 0;
    std::vector<base::Json> events;
    for (std::size_t i = 1; i < lines.size() && events.size() < kMostEvents; ++i)
        if (auto event = base::parse_json_object(lines[i], "event")) events.push_back(std::move(*event));
    const auto response = lab.show(target, events);
    if (response.status != 200 && response.status != 404 && response.status != 503) __builtin_trap();
    if (target.starts_with("/style.css") || response.body.starts_with("nothing ")) return 0;
    check_markup(response.body);
    return 0;
}
