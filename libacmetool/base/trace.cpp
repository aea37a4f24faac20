#include "base/trace.h"

#include <nlohmann/json.hpp>

#include "base/text.h"

namespace acmetool::base
{
namespace
{

constexpr JsonLimits kLineLimits{.bytes = 1U << 16U, .depth = 8};
constexpr std::size_t kLongestParty = 20;
constexpr std::size_t kLongestText = 300;
constexpr std::int64_t kHighestStatus = 999;
constexpr std::int64_t kLongestReply = 86'400'000; // a day

/// The member `name` if it is a whole number from 0 to `most`.
std::optional<std::int64_t> number_member(const Json& object, const char* name, std::int64_t most)
{
    const auto found = object.find(name);
    if (found == object.end() || !found->is_number_integer()) return std::nullopt;
    if (found->is_number_unsigned() && found->get<std::uint64_t>() > static_cast<std::uint64_t>(most))
        return std::nullopt;
    const auto number = found->get<std::int64_t>();
    return number < 0 || number > most ? std::nullopt : std::optional{number};
}

} // namespace

Json to_json(const Message& message, TimePoint time)
{
    Json object{
        {"time", to_rfc3339(time)}, {"from", message.from}, {"to", message.to}, {"label", message.label}};
    if (!message.detail.empty()) object["detail"] = message.detail;
    if (!message.method.empty()) object["method"] = message.method;
    if (!message.url.empty()) object["url"] = message.url;
    if (message.status != 0) object["status"] = message.status;
    if (!message.request_id.empty()) object["request_id"] = message.request_id;
    if (!message.device.empty()) object["device"] = message.device;
    if (message.took) object["ms"] = message.took->count();
    if (message.inferred) object["inferred"] = true;
    return object;
}

std::string to_trace_line(const Message& message, TimePoint now)
{
    return to_text(to_json(message, now)) + "\n";
}

Result<TraceEntry> parse_trace_line(std::string_view line)
{
    ACMETOOL_TRY(object, parse_json_object(line, "trace", kLineLimits));
    ACMETOOL_TRY(time, required_string(object, "time", "trace"));
    ACMETOOL_TRY(from, required_string(object, "from", "trace"));
    ACMETOOL_TRY(to, required_string(object, "to", "trace"));
    ACMETOOL_TRY(label, required_string(object, "label", "trace"));
    if (from.empty() || to.empty() || label.empty())
        return fail(Errc::bad_input, "trace: \"from\", \"to\" or \"label\" is empty");
    TraceEntry entry;
    ACMETOOL_TRY(moment, parse_rfc3339(time));
    entry.time = moment;
    auto& message = entry.message;
    message.from = printable(from, kLongestParty);
    message.to = printable(to, kLongestParty);
    message.label = printable(label, kLongestText);
    message.detail = printable(string_member(object, "detail").value_or(""), kLongestText);
    message.method = printable(string_member(object, "method").value_or(""), kLongestParty);
    message.url = printable(string_member(object, "url").value_or(""), kLongestText);
    message.request_id = printable(string_member(object, "request_id").value_or(""), kLongestParty);
    message.device = printable(string_member(object, "device").value_or(""), kLongestText);
    const auto inferred = object.find("inferred");
    message.inferred = inferred != object.end() && *inferred == true;
    message.status = static_cast<int>(number_member(object, "status", kHighestStatus).value_or(0));
    if (const auto took = number_member(object, "ms", kLongestReply)) message.took = Milliseconds{*took};
    return entry;
}

Trace parse_trace(std::string_view text)
{
    Trace trace;
    for (std::size_t number = 1; !text.empty(); ++number) {
        const auto end = text.find('\n');
        const auto line = trim(text.substr(0, end));
        const bool whole = end != std::string_view::npos;
        text.remove_prefix(whole ? end + 1 : text.size());
        if (line.empty()) continue;
        if (auto entry = parse_trace_line(line))
            trace.entries.push_back(std::move(*entry));
        else if (whole)
            trace.skipped.push_back(number);
        else
            trace.cut = true;
    }
    return trace;
}

bool is_failure(const Message& message)
{
    constexpr std::string_view kInvalid = "status=invalid";
    const std::string_view label = message.label;
    return message.status >= 400 || label.substr(0, 9) == "no answer" || label == "failed" ||
           (label.size() > kInvalid.size() && label.substr(label.size() - kInvalid.size()) == kInvalid);
}

} // namespace acmetool::base
