// An event of the log as a row of the store and as an operator reads it: a peer wrote its subject, its names,
// its MAC address, the words of a CA's problem.
#include <cstddef>
#include <string_view>

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "relay/event_row.h"
#include "relay/event_text.h"

using namespace acmetool;

namespace
{

constexpr std::size_t kLongestRow = 64U * 1024U;

void check_printable(std::string_view text)
{
    if (base::printable(text, text.size() + 1) != text) __builtin_trap();
}

/// Traps if a row is larger than a row may be, or steers a terminal.
void check(const ra::Event& row)
{
    std::size_t octets = row.details.size();
    for (const auto* text : {&row.what, &row.outcome, &row.cause, &row.text, &row.hint, &row.protocol,
                             &row.device, &row.who, &row.request_id, &row.address, &row.station}) {
        check_printable(*text);
        octets += text->size();
    }
    if (octets > kLongestRow) __builtin_trap();
    if (!row.station.empty() && row.station.size() != 12) __builtin_trap();
    // explain and the page read it again.
    if (!base::parse_json_object(row.details, "details")) __builtin_trap();
    const auto shown = relay::to_text(row, "est-relay");
    for (const auto line : base::split(shown, '\n'))
        check_printable(line);
    check_printable(relay::advice_for(row, "est-relay"));
    if (!base::parse_json_object(base::to_text(relay::to_json(row, "est-relay")), "event")) __builtin_trap();
}

} // namespace

extern "C" int fuzz_event(const unsigned char* data, std::size_t size)
{
    const std::string_view text{reinterpret_cast<const char*>(data), size};
    if (const auto event = base::parse_json_object(text, "event")) check(relay::to_row(*event));
    static_cast<void>(relay::station_of(text));
    return 0;
}
