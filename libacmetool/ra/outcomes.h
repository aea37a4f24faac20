#pragma once

#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/time.h"

namespace acmetool::ra
{

/// When an issuer's orders last succeeded and failed, and which of them came last: times have whole seconds,
/// and a clock may be set back. For any thread.
class Outcomes
{
public:
    void succeeded(base::TimePoint now)
    {
        const std::lock_guard lock{mutex_};
        success_ = now;
        has_failed_ = false;
    }
    void failed(base::TimePoint now, std::string error)
    {
        const std::lock_guard lock{mutex_};
        failure_ = now;
        error_ = std::move(error);
        has_failed_ = true;
    }

    /// Members of the status document: lastSuccess, lastFailure, lastError, lastOutcome.
    void add_to(base::Json& status) const
    {
        const std::lock_guard lock{mutex_};
        if (success_) status["lastSuccess"] = base::to_rfc3339(*success_);
        if (failure_) {
            status["lastFailure"] = base::to_rfc3339(*failure_);
            status["lastError"] = error_;
        }
        if (success_ || failure_) status["lastOutcome"] = has_failed_ ? "failed" : "issued";
    }

private:
    mutable std::mutex mutex_;
    std::optional<base::TimePoint> success_;
    std::optional<base::TimePoint> failure_;
    std::string error_; ///< of `failure_`
    bool has_failed_ = false;
};

} // namespace acmetool::ra
