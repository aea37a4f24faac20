#include "relay/event_row.h"

#include <algorithm>
#include <array>
#include <cctype>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "enrol/identity.h"

namespace acmetool::relay
{
namespace
{

using base::Json;
using base::Level;

constexpr std::size_t kLongestText = 1000;
constexpr std::size_t kLongestWord = 300;
constexpr std::size_t kMostInList = 10;

/// Members with a column of their own, and those that say nothing to a person.
constexpr std::array<std::string_view, 16> kNotInDetails{
    "event", "level",  "device", "request_id", "address", "times",     "text", "hint",
    "cause", "reason", "msg",    "decision",   "id",      "csrSha256", "ms",   "protocol"};

/// Text of the member, if it is one; the digits of a number.
std::string word_in(const Json& event, const char* name, std::size_t limit = kLongestWord)
{
    const auto found = event.find(name);
    if (found == event.end()) return {};
    if (found->is_string()) return base::printable(found->get_ref<const std::string&>(), limit);
    return found->is_number() ? base::to_text(*found) : std::string{};
}

Level level_in(const Json& event)
{
    const auto word = word_in(event, "level");
    return word == "error" ? Level::error : word == "warning" ? Level::warning : Level::info;
}

std::string_view protocol_of(std::string_view what)
{
    if (what == "request" || what == "handshake") return "est";
    if (what == "teap") return "teap";
    if (what == "radius") return "radius";
    if (what == "brski" || what == "voucher_status" || what == "enrollstatus") return "brski";
    if (what == "order" || what == "authorization") return "acme";
    return {};
}

/// "rateLimited" of the CA's problem, or its whole type.
std::string problem_in(const Json& event)
{
    constexpr std::string_view kAcme = "urn:ietf:params:acme:error:";
    const auto problem = event.find("problem");
    if (problem == event.end() || !problem->is_object()) return {};
    const auto type = word_in(*problem, "type");
    return type.starts_with(kAcme) ? type.substr(kAcme.size()) : type;
}

std::string outcome_of(const Json& event, std::string_view what)
{
    if (auto word = word_in(event, "decision"); !word.empty() && what != "request") return word;
    if (what == "request") return "refused";
    if (what == "order")
        return event.contains("nextTry") ? "failed" : event.contains("text") ? "continued" : "placed";
    if (what == "brski") return word_in(event, "state");
    if (what == "authorization") return word_in(event, "status");
    if (what == "voucher_status" || what == "enrollstatus")
        return word_in(event, "text").starts_with("success") ? "success" : "failure";
    return {};
}

std::string cause_of(const Json& event, std::string_view what)
{
    for (const auto* name : {"reason", "cause", "error"})
        if (auto word = word_in(event, name); !word.empty()) return word;
    if (what == "request") {
        auto word = word_in(event, "decision");
        return word.empty() ? word_in(event, "status") : word;
    }
    return problem_in(event);
}

/// "device0001" in "serialNumber=device0001,CN=..."; nothing of it was verified.
std::string claimed_serial(std::string_view subject)
{
    constexpr std::string_view kSerial = "serialNumber=";
    for (auto at = subject.find(kSerial); at != std::string_view::npos; at = subject.find(kSerial, at + 1)) {
        const bool begins = at == 0 || subject[at - 1] == ',' || subject[at - 1] == '+';
        if (!begins || (at > 1 && subject[at - 2] == '\\')) continue; // in the value of another
        const auto rest = subject.substr(at + kSerial.size());
        return std::string{rest.substr(0, rest.find_first_of(",+\\ "))};
    }
    return {};
}

std::string who_of(const Json& event, const std::string& device, std::string_view what)
{
    if (!device.empty()) {
        const auto parts = enrol::parse_qualified_serial(device);
        return parts && !device.starts_with("user:") ? parts->serial : device;
    }
    if (what == "brski" || what == "voucher_status" || what == "enrollstatus")
        if (auto serial = word_in(event, "serial"); !serial.empty()) return serial;
    return claimed_serial(word_in(event, "client"));
}

/// As much of a value as a row should have.
Json shortened(const Json& value)
{
    if (value.is_string()) return base::printable(value.get_ref<const std::string&>(), kLongestText);
    if (value.is_array()) {
        Json list = Json::array();
        for (std::size_t i = 0; i < value.size() && i < kMostInList; ++i)
            if (value[i].is_string()) list.push_back(word_in(Json{{"word", value[i]}}, "word"));
        return list;
    }
    if (value.is_object()) {
        Json words = Json::object();
        for (const auto* name : {"type", "detail"})
            if (auto word = word_in(value, name, kLongestText); !word.empty()) words[name] = std::move(word);
        return words;
    }
    return value;
}

std::string details_of(const Json& event)
{
    Json details = Json::object();
    for (const auto& [name, value] : event.items())
        if (std::find(kNotInDetails.begin(), kNotInDetails.end(), name) == kNotInDetails.end())
            details[name] = shortened(value);
    return base::to_text(details);
}

} // namespace

std::string station_of(std::string_view text)
{
    std::string digits;
    for (const char character : text) {
        const auto octet = static_cast<unsigned char>(character);
        if (std::isxdigit(octet) != 0)
            digits += static_cast<char>(std::tolower(octet));
        else if (character != ':' && character != '-' && character != '.')
            return {};
        if (digits.size() == 12) return digits;
    }
    return {};
}

ra::Event to_row(const Json& event)
{
    ra::Event row;
    row.what = word_in(event, "event");
    row.level = level_in(event);
    row.outcome = outcome_of(event, row.what);
    row.cause = cause_of(event, row.what);
    row.text = word_in(event, event.contains("text") ? "text" : "msg", kLongestText);
    row.hint = word_in(event, "hint", kLongestText);
    row.protocol = word_in(event, "protocol");
    if (row.protocol.empty()) row.protocol = protocol_of(row.what);
    row.device = word_in(event, "device", kLongestText);
    row.who = who_of(event, row.device, row.what);
    row.request_id = word_in(event, "request_id");
    row.address = word_in(event, "address");
    row.station = station_of(word_in(event, "station"));
    if (const auto times = event.find("times"); times != event.end() && times->is_number_unsigned())
        row.times = times->get<std::uint64_t>();
    row.details = details_of(event);
    return row;
}

} // namespace acmetool::relay
