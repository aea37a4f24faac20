#pragma once

#include <optional>
#include <string>

#include "base/context.h"
#include "cli/inference.h"
#include "cli/ladder_page.h"

namespace acmetool::cli
{

/// The draft's ladder, drawn message by message. The first message decides on the parties: a client and its
/// EST or TEAP server, an ACME client with CA and DNS, or all those that a relay speaks to.
class Ladder
{
public:
    /// The lines for one message; the first includes the head of the ladder.
    std::string draw(const base::Message& message);

private:
    std::string arrow(const base::Message& message) const;

    std::vector<std::string> parties_;
    std::optional<LadderPage> page_;
    Inference inference_;
};

/// The text above a message's arrow: label, time and detail.
ACMETOOL_EXPORT std::vector<std::string> words_of(const base::Message& message);

} // namespace acmetool::cli
