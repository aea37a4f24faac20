// Trace files, and what is drawn of them.
#include <cstddef>
#include <string_view>

#include <nlohmann/json.hpp>

#include "base/trace.h"
#include "cli/chart.h"

extern "C" int fuzz_trace(const unsigned char* data, std::size_t size)
{
    using namespace acmetool;
    const std::string_view text{reinterpret_cast<const char*>(data), size};
    const auto trace = base::parse_trace(text);
    if (trace.entries.empty()) return 0;
    for (const auto& entry : trace.entries)
        if (!base::parse_trace_line(base::to_trace_line(entry.message, entry.time))) __builtin_trap();
    const auto chart = cli::chart_of(trace);
    static_cast<void>(cli::to_json(chart));
    const auto drawn = cli::draw_text(chart) + cli::draw_svg(chart);
    for (const char c : drawn)
        if (static_cast<unsigned char>(c) < 0x20 && c != '\n') __builtin_trap();
    return 0;
}
