#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "acmetool/export.h"
#include "base/context.h"

namespace acmetool::cli
{

/// Messages that no program of ours sees, but that the others of a trace show: a CA's look at the record or
/// file of a challenge.
class ACMETOOL_EXPORT Inference
{
public:
    /// Takes the messages of a trace one after the other. Returns those that were sent before this one.
    std::vector<base::Message> before(const base::Message& message);

private:
    std::map<std::string, std::string> places_; ///< by identifier: the party that has the proof
    std::set<std::string> responded_;           ///< identifiers whose validation the CA was asked for
    std::map<std::string, std::string> open_;   ///< by ID and URL of a request that has no reply: identifier
};

} // namespace acmetool::cli
