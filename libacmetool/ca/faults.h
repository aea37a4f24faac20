#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "http/server.h"

namespace acmetool::ca
{

/// Faults that the CA plays on request, for people who test their client. acme-ca(1) lists them.
///
/// A fault is NAME=VALUE. Those that change a reply take RESOURCE or RESOURCE:TIMES as value; others a number
/// or a word. Safe to use from several threads.
class ACMETOOL_EXPORT Faults
{
public:
    /// Errors: usage (unknown name, value missing).
    Result<void> set(std::string_view assignment);
    /// The value of a fault, if it is on.
    std::optional<std::string> value(std::string_view name) const;
    /// A numeric fault's value, 0 where it is off.
    unsigned number(std::string_view name) const;
    /// True if the fault is on for this resource; counts it down.
    bool take(std::string_view name, std::string_view resource);
    /// The word of a fault RESOURCE:WORD[:TIMES], if it is on for this resource; counts it down.
    std::optional<std::string> take_word(std::string_view name, std::string_view resource);
    /// Counts a number down; true while it was above zero.
    bool count_down(std::string_view name);
    std::string to_json() const;

    /// Breaks a reply as the faults for its resource say.
    void apply(std::string_view resource, http::ServerResponse& response);

private:
    mutable std::mutex mutex_;
    std::map<std::string, std::string, std::less<>> values_;
};

} // namespace acmetool::ca
