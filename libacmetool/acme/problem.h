#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "http/client.h"

/// Problem documents (RFC 9457) as ACME uses them (RFC 8555 section 6.7).
namespace acmetool::acme
{

struct Problem {
    std::string type; ///< whole URN; "about:blank" if the server gave none
    std::string title;
    std::string detail;                  ///< the server's text, not yet sanitized for a terminal
    std::string instance;                ///< RFC 8555 section 7.3.3: URL that a person must visit
    std::string identifier;              ///< of a subproblem: its identifier
    std::vector<std::string> algorithms; ///< RFC 8555 section 6.2, with badSignatureAlgorithm
    std::vector<Problem> subproblems;    ///< RFC 8555 section 6.7.1

    /// "rejectedIdentifier" of "urn:ietf:params:acme:error:rejectedIdentifier"; other types unchanged.
    std::string_view word() const;
};

/// Reads a problem document, or the "error" member of an order or challenge. Unknown members are skipped,
/// missing ones are empty. Nothing if it is not a JSON object.
ACMETOOL_EXPORT std::optional<Problem> parse_problem(std::string_view json);

/// The problem in one sentence for people: type, detail, then each subproblem with its identifier.
ACMETOOL_EXPORT std::string describe(const Problem& problem);

/// The error for the caller. `raw` is the document as received.
ACMETOOL_EXPORT Error to_error(const Problem& problem, std::string_view raw, int status,
                               std::optional<std::chrono::seconds> retry_after);

/// The error of a reply with status 400 or more, problem document or not.
ACMETOOL_EXPORT Error error_of(const http::Response& response, base::TimePoint now);

} // namespace acmetool::acme
