#include "cli/options.h"

#include <random>

#include "base/text.h"

namespace acmetool::cli
{

Result<std::optional<base::TimePoint>> parse_moment(const std::string& text, const char* option,
                                                    base::TimePoint now)
{
    if (text.empty()) return std::optional<base::TimePoint>{};
    if (const auto time = base::parse_rfc3339(text)) return std::optional{*time};
    if (const auto after = base::parse_duration(text))
        return std::optional{now + std::chrono::duration_cast<std::chrono::seconds>(*after)};
    return fail(Errc::usage, std::string{option} + " " + base::printable(text, 50) + ": not a time",
                "give a time such as 2027-01-31T00:00:00Z, or a duration from now such as 7d", "badTime");
}

std::string renewed(const std::string& what, std::optional<base::TimePoint> until)
{
    return base::printable(what) + ": renewed" + (until ? ", valid until " + base::to_rfc3339(*until) : "");
}

std::string not_due(const std::string& what, std::optional<base::TimePoint> before)
{
    return base::printable(what) + ": not due" + (before ? " before " + base::to_rfc3339(*before) : "");
}

Result<void> wait_for_turn(base::Milliseconds jitter, Io& io)
{
    if (jitter.count() == 0) return {};
    std::random_device random;
    const base::Milliseconds delay{random() % jitter.count()};
    const auto now = io.context().steady_now();
    return io.context().sleep(delay, {"its turn (--jitter)", now, now + delay});
}

} // namespace acmetool::cli
