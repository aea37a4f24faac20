#include "cli/failure.h"

#include <nlohmann/json.hpp>

#include "cli/exit_code.h"

namespace acmetool::cli
{

using base::Json;

Json error_members(const Error& error, int status, base::TimePoint now)
{
    Json members{{"code", name_of(error)}, {"exit", status}, {"message", error.message}};
    if (!error.hint.empty()) members["hint"] = error.hint;
    if (const auto problem = base::parse_json(error.problem, "problem"); problem)
        members["problem"] = *problem;
    if (error.retry_after) {
        members["retryAfter"] = error.retry_after->count();
        members["retryAt"] = base::to_rfc3339(now + *error.retry_after);
    }
    return members;
}

Json end_with(const Error& error, Io& io)
{
    const int status = exit_code(error.code);
    const bool hinted = !error.hint.empty() && !io.json_log();
    io.context().log(base::Level::error, error.message + (hinted ? "\nhint: " + error.hint : ""));
    io.exit_with(status);
    return error_members(error, status, io.context().now());
}

} // namespace acmetool::cli
