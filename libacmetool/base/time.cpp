#include "base/time.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <ctime>
#include <limits>

#include <fmt/chrono.h>
#include <fmt/core.h>

namespace acmetool::base
{
namespace
{

/// Reads `width` decimal digits at the front of `text` and drops them; -1 if there are other characters.
int take_digits(std::string_view& text, std::size_t width)
{
    if (text.size() < width) return -1;
    int value = 0;
    for (const char c : text.substr(0, width)) {
        if (c < '0' || c > '9') return -1;
        value = value * 10 + (c - '0');
    }
    text.remove_prefix(width);
    return value;
}

bool take(std::string_view& text, char c)
{
    if (text.empty() || text.front() != c) return false;
    text.remove_prefix(1);
    return true;
}

std::optional<TimePoint> make_time(int year, int month, int day, int hour, int minute, int second)
{
    const std::chrono::year_month_day date{std::chrono::year{year},
                                           std::chrono::month{static_cast<unsigned>(month)},
                                           std::chrono::day{static_cast<unsigned>(day)}};
    if (month < 1 || day < 1 || !date.ok() || hour < 0 || hour > 23 || minute < 0 || minute > 59 ||
        second < 0 || second > 60)
        return std::nullopt;
    return std::chrono::sys_days{date} + std::chrono::hours{hour} + std::chrono::minutes{minute} +
           std::chrono::seconds{second};
}

std::optional<TimePoint> read_rfc3339(std::string_view text)
{
    const int year = take_digits(text, 4);
    if (year < 0 || !take(text, '-')) return std::nullopt;
    const int month = take_digits(text, 2);
    if (month < 0 || !take(text, '-')) return std::nullopt;
    const int day = take_digits(text, 2);
    if (day < 0 || (!take(text, 'T') && !take(text, 't') && !take(text, ' '))) return std::nullopt;
    const int hour = take_digits(text, 2);
    if (hour < 0 || !take(text, ':')) return std::nullopt;
    const int minute = take_digits(text, 2);
    if (minute < 0 || !take(text, ':')) return std::nullopt;
    const int second = take_digits(text, 2);
    if (second < 0) return std::nullopt;
    if (take(text, '.')) {
        if (text.empty() || text.front() < '0' || text.front() > '9') return std::nullopt;
        while (!text.empty() && text.front() >= '0' && text.front() <= '9')
            text.remove_prefix(1);
    }
    auto time = make_time(year, month, day, hour, minute, second);
    if (!time) return std::nullopt;
    if (text == "Z" || text == "z") return time;
    if (text.size() != 6 || (text.front() != '+' && text.front() != '-')) return std::nullopt;
    const int sign = text.front() == '+' ? 1 : -1;
    text.remove_prefix(1);
    const int offset_hours = take_digits(text, 2);
    if (offset_hours < 0 || offset_hours > 23 || !take(text, ':')) return std::nullopt;
    const int offset_minutes = take_digits(text, 2);
    if (offset_minutes < 0 || offset_minutes > 59) return std::nullopt;
    return *time - sign * (std::chrono::hours{offset_hours} + std::chrono::minutes{offset_minutes});
}

} // namespace

TimePoint now()
{
    return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
}

int milliseconds_until(std::chrono::steady_clock::time_point when)
{
    constexpr Milliseconds kLongest{std::numeric_limits<int>::max()};
    const auto now = std::chrono::steady_clock::now();
    if (when <= now) return 0;
    return static_cast<int>(std::min(std::chrono::ceil<Milliseconds>(when - now), kLongest).count());
}

std::string to_rfc3339(TimePoint time)
{
    const auto day = std::chrono::floor<std::chrono::days>(time);
    const std::chrono::year_month_day date{day};
    const std::chrono::hh_mm_ss clock{time - day};
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", static_cast<int>(date.year()),
                       static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                       clock.hours().count(), clock.minutes().count(), clock.seconds().count());
}

Result<TimePoint> parse_rfc3339(std::string_view text)
{
    if (auto time = read_rfc3339(text)) return *time;
    return fail(Errc::bad_input, fmt::format("\"{}\" is not a time in RFC 3339 form", text),
                "for example 2026-11-23T18:58:45Z");
}

Result<TimePoint> parse_http_date(std::string_view text)
{
    static constexpr std::array<const char*, 3> kForms{"%a, %d %b %Y %H:%M:%S GMT",
                                                       "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"};
    const std::string copy{text};
    for (const char* form : kForms) {
        std::tm fields{};
        const char* end = strptime(copy.c_str(), form, &fields);
        if (end != nullptr && *end == '\0') return TimePoint{std::chrono::seconds{timegm(&fields)}};
    }
    return fail(Errc::bad_input, fmt::format("\"{}\" is not an HTTP-date", text));
}

std::string to_http_date(TimePoint time)
{
    static constexpr std::array<const char*, 7> kDays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static constexpr std::array<const char*, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const std::time_t seconds = time.time_since_epoch().count();
    std::tm fields{};
    gmtime_r(&seconds, &fields);
    return fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT",
                       kDays[static_cast<std::size_t>(fields.tm_wday)], fields.tm_mday,
                       kMonths[static_cast<std::size_t>(fields.tm_mon)], fields.tm_year + 1900,
                       fields.tm_hour, fields.tm_min, fields.tm_sec);
}

Result<Milliseconds> parse_duration(std::string_view text)
{
    std::int64_t count = 0;
    const auto [rest, problem] = std::from_chars(text.data(), text.data() + text.size(), count);
    const std::string_view unit{rest, static_cast<std::size_t>(text.data() + text.size() - rest)};
    std::int64_t factor = 0;
    if (unit == "ms")
        factor = 1;
    else if (unit == "s")
        factor = 1000;
    else if (unit == "m")
        factor = 60'000;
    else if (unit == "h")
        factor = 3'600'000;
    else if (unit == "d")
        factor = 86'400'000;
    constexpr std::int64_t kLongest = std::int64_t{100} * 365 * 86'400'000;
    if (problem != std::errc{} || factor == 0 || count < 0 || count > kLongest / factor)
        return fail(Errc::bad_input, fmt::format("\"{}\" is not a duration", text),
                    "write a number and a unit: 500ms, 30s, 10m, 12h, 7d");
    return Milliseconds{count * factor};
}

std::string describe(Milliseconds duration)
{
    const auto ms = duration.count() < 0 ? 0 : duration.count();
    if (ms < 1000) return fmt::format("{} ms", ms);
    const auto seconds = ms / 1000;
    if (seconds < 60)
        return ms % 1000 == 0 ? fmt::format("{} s", seconds)
                              : fmt::format("{}.{} s", seconds, ms % 1000 / 100);
    if (seconds < 3600)
        return seconds % 60 == 0 ? fmt::format("{} min", seconds / 60)
                                 : fmt::format("{} min {} s", seconds / 60, seconds % 60);
    if (seconds < 86'400)
        return seconds % 3600 < 60 ? fmt::format("{} h", seconds / 3600)
                                   : fmt::format("{} h {} min", seconds / 3600, seconds % 3600 / 60);
    return seconds % 86'400 < 3600 ? fmt::format("{} d", seconds / 86'400)
                                   : fmt::format("{} d {} h", seconds / 86'400, seconds % 86'400 / 3600);
}

TimePoint Margin::due(TimePoint start, TimePoint end) const
{
    if (fixed) return end - *fixed;
    const auto life = end > start ? end - start : std::chrono::seconds{0};
    // Divided before it is multiplied: a life of "until 9999" times a numerator would overflow.
    return end - life / denominator * numerator;
}

Result<Margin> parse_margin(std::string_view text)
{
    Margin margin;
    const auto slash = text.find('/');
    if (slash == std::string_view::npos) {
        auto fixed = parse_duration(text);
        if (!fixed)
            return fail(Errc::bad_input, fmt::format("\"{}\" is neither a duration nor a share", text),
                        "write a duration (12h, 7d) or a share of the lifetime (1/3)");
        margin.fixed = std::chrono::floor<std::chrono::seconds>(*fixed);
        return margin;
    }
    const auto number = [](std::string_view digits, unsigned& value) {
        const auto [rest, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
        return problem == std::errc{} && rest == digits.data() + digits.size();
    };
    if (!number(text.substr(0, slash), margin.numerator) ||
        !number(text.substr(slash + 1), margin.denominator) || margin.numerator == 0 ||
        margin.denominator == 0 || margin.numerator > margin.denominator || margin.denominator > 1000)
        return fail(Errc::bad_input, fmt::format("\"{}\" is not a share between 0 and 1", text),
                    "for example 1/3");
    return margin;
}

} // namespace acmetool::base
