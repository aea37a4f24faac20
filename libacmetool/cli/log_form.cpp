#include "cli/log_form.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/text.h"
#include "base/time.h"

namespace acmetool::cli
{
namespace
{

using base::Level;

std::string_view name_of(Level level)
{
    switch (level) {
    case Level::error:
        return "error";
    case Level::warning:
        return "warning";
    case Level::info:
        return "info";
    case Level::detail:
        return "detail";
    case Level::wire:
        return "wire";
    }
    return "info";
}

} // namespace

std::string safe_lines(std::string_view text)
{
    constexpr auto kNoLimit = std::string::npos;
    std::vector<std::string> lines;
    for (const auto line : base::split(text, '\n'))
        lines.push_back(base::printable(line, kNoLimit));
    return base::join(lines, "\n");
}

bool writes_to_journal()
{
    const char* stream = std::getenv("JOURNAL_STREAM");
    struct stat here {
    };
    return stream != nullptr && fstat(STDERR_FILENO, &here) == 0 &&
           fmt::format("{}:{}", here.st_dev, here.st_ino) == stream;
}

std::string time_prefix()
{
    return base::to_rfc3339(base::now()) + " ";
}

std::string_view journal_priority(Level level)
{
    return level == Level::error ? "<3>" : level == Level::warning ? "<4>" : "<6>";
}

std::string LogForm::line(Level level, std::string_view text) const
{
    const std::string_view priority = journal ? journal_priority(level) : "";
    if (json) {
        const base::Json line{{"ts", base::to_rfc3339(base::now())},
                              {"level", name_of(level)},
                              {"event", program},
                              {"msg", text}};
        return fmt::format("{}{}\n", priority, base::to_text(line));
    }
    const auto head = std::string{priority} + (time && !journal ? time_prefix() : "") + program;
    if (level > Level::warning) return fmt::format("{}: {}\n", head, safe_lines(text));
    const std::string_view before = !colour ? "" : level == Level::error ? "\x1b[31m" : "\x1b[33m";
    return fmt::format("{}: {}{}{}: {}\n", head, before, name_of(level), colour ? "\x1b[0m" : "",
                       safe_lines(text));
}

} // namespace acmetool::cli
