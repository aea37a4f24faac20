#include "cli/log_form.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <utility>

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

/// A value with a newline is preceded by its size in 64 bits, the lowest octet first.
void add_field(std::string& entry, std::string_view name, std::string_view value)
{
    entry += name;
    if (value.find('\n') == std::string_view::npos) {
        entry += '=';
    } else {
        entry += '\n';
        auto size = std::uint64_t{value.size()};
        for (int i = 0; i < 8; ++i, size >>= 8)
            entry += static_cast<char>(size & 0xff);
    }
    entry += value;
    entry += '\n';
}

/// "csrSha256" and "request_id" become ACMETOOL_CSR_SHA256 and ACMETOOL_REQUEST_ID.
std::string field_name(std::string_view member)
{
    constexpr std::size_t kLongest = 64;
    std::string name = "ACMETOOL_";
    for (const char character : member) {
        const auto octet = static_cast<unsigned char>(character);
        if (std::isupper(octet) != 0) name += '_';
        name += std::isalnum(octet) != 0 ? static_cast<char>(std::toupper(octet)) : '_';
    }
    name.resize(std::min(name.size(), kLongest));
    return name;
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

Journal::Journal(std::string program, std::string socket)
    : program_(std::move(program)), socket_(std::move(socket))
{
}

Journal::~Journal()
{
    if (fd_ >= 0) close(fd_);
}

bool Journal::send(base::Level level, std::string_view message, const base::Json& event)
{
    std::string entry;
    add_field(entry, "MESSAGE", message);
    add_field(entry, "PRIORITY", journal_priority(level).substr(1, 1));
    add_field(entry, "SYSLOG_IDENTIFIER", program_);
    for (const auto& [name, value] : event.items()) {
        if (name == "level" || name == "msg" || name == "ts") continue; // said by the above
        if (value.is_string())
            add_field(entry, field_name(name), base::printable(value.get_ref<const std::string&>()));
        else if (value.is_number() || value.is_boolean())
            add_field(entry, field_name(name), base::to_text(value));
    }
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (socket_.size() >= sizeof address.sun_path) return false;
    std::memcpy(address.sun_path, socket_.data(), socket_.size());
    const std::lock_guard lock{mutex_};
    if (fd_ < 0) fd_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd_ < 0) return false;
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + socket_.size());
    return sendto(fd_, entry.data(), entry.size(), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&address),
                  length) == static_cast<ssize_t>(entry.size());
}

bool has_journal_socket()
{
    struct stat here {
    };
    return writes_to_journal() && fstat(STDERR_FILENO, &here) == 0 && S_ISSOCK(here.st_mode);
}

} // namespace acmetool::cli
