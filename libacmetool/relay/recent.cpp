#include "relay/recent.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/chart.h"

namespace acmetool::relay
{
namespace
{

constexpr std::size_t kMostMessages = 2000; ///< of some hundred octets each
constexpr std::size_t kMostRefusals = 500;
constexpr std::size_t kLongestShown = 300;

std::string shown_member(const base::Json& event, const char* name)
{
    return base::printable(base::string_member(event, name).value_or(""), kLongestShown);
}

/// The cause of a refusal, as the page sorts them; empty: the event tells of none.
std::string refusal_cause(const base::Json& event)
{
    const auto kind = base::string_member(event, "event").value_or("");
    const auto decision = base::string_member(event, "decision").value_or("");
    if (kind == "decision" && decision == "refused") return shown_member(event, "reason");
    // While a MASA does not answer, nobody is refused.
    const auto state = base::string_member(event, "state").value_or("refused");
    if (kind == "brski" && state == "refused" && base::string_member(event, "level") == "warning")
        return "voucher";
    if (kind == "teap" && decision == "reject") return "teap";
    if (kind == "radius" && decision == "drop") return "radius";
    return {};
}

std::string request_outcome(const est::RequestEvent& event)
{
    if (event.decision == "issued" || event.decision == "pending") return event.decision;
    return event.status >= 500 ? "failed" : event.status >= 400 ? "refused" : "answered";
}

std::string operation_of(const est::RequestEvent& event)
{
    return event.operation.empty() ? "other" : event.operation;
}

} // namespace

void Histogram::add(std::chrono::microseconds took)
{
    const auto seconds = static_cast<double>(took.count()) / 1e6;
    const auto place = std::lower_bound(kBounds.begin(), kBounds.end(), seconds);
    ++counts.at(static_cast<std::size_t>(place - kBounds.begin()));
    sum += seconds;
}

void Recent::message(const base::Message& message, base::TimePoint now)
{
    if (message.request_id.empty()) return;
    const std::lock_guard lock{mutex_};
    messages_.push_back({now, message});
    if (messages_.size() > kMostMessages) messages_.pop_front();
}

void Recent::event(const base::Json& event, base::TimePoint now)
{
    auto cause = refusal_cause(event);
    if (cause.empty()) return;
    RecentRefusal refusal{now, std::move(cause), {}, {}, {}, {}, {}};
    refusal.device = shown_member(event, event.contains("device") ? "device" : "serial");
    for (const auto* name : {"device", "serial", "client", "identity", "address"})
        if (refusal.who.empty()) refusal.who = shown_member(event, name);
    refusal.address = shown_member(event, "address");
    refusal.request_id = shown_member(event, "request_id");
    refusal.text = shown_member(event, "text");
    const auto times = event.find("times");
    const std::uint64_t count =
        times != event.end() && times->is_number_unsigned() ? times->get<std::uint64_t>() : 1;
    const std::lock_guard lock{mutex_};
    // The end of a conversation whose request was refused says nothing new.
    if (refusal.cause == "teap" && !refusal.request_id.empty() &&
        std::any_of(refusals_.begin(), refusals_.end(),
                    [&](const auto& one) { return one.request_id == refusal.request_id; }))
        return;
    refused_[refusal.cause] += count;
    refusals_.push_front(std::move(refusal));
    if (refusals_.size() > kMostRefusals) refusals_.pop_back();
}

void Recent::request(const est::RequestEvent& event)
{
    const std::lock_guard lock{mutex_};
    ++requests_[{operation_of(event), event.status}];
    latencies_[{operation_of(event), request_outcome(event)}].add(event.took);
}

base::Trace Recent::trace_of(const std::string& request_id) const
{
    base::Trace trace;
    if (request_id.empty()) return trace;
    {
        const std::lock_guard lock{mutex_};
        trace.entries.assign(messages_.begin(), messages_.end());
    }
    return cli::requests_of_device(std::move(trace), request_id);
}

std::string Recent::refused_request_of(const std::string& device) const
{
    const std::lock_guard lock{mutex_};
    const auto found = std::find_if(refusals_.begin(), refusals_.end(),
                                    [&](const auto& one) { return one.device == device; });
    return found == refusals_.end() ? std::string{} : found->request_id;
}

std::vector<RecentRefusal> Recent::refusals() const
{
    const std::lock_guard lock{mutex_};
    return {refusals_.begin(), refusals_.end()};
}

std::map<std::string, std::uint64_t> Recent::refused() const
{
    const std::lock_guard lock{mutex_};
    return refused_;
}

std::map<std::pair<std::string, int>, std::uint64_t> Recent::requests() const
{
    const std::lock_guard lock{mutex_};
    return requests_;
}

Recent::Latencies Recent::latencies() const
{
    const std::lock_guard lock{mutex_};
    return latencies_;
}

} // namespace acmetool::relay
