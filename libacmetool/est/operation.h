#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "http/url.h"

namespace acmetool::est
{

/// What a client asks of a server (RFC 7030 section 3.2.2). /fullcmc and /serverkeygen are not spoken.
enum class Operation { cacerts, csrattrs, simpleenroll, simplereenroll };

/// The path segment, "simpleenroll".
ACMETOOL_EXPORT std::string_view name_of(Operation operation);

/// A server and, where it has several CAs, the label of one.
struct ServerUrl {
    std::string url;   ///< "https://ra.example:8443"; "/.well-known/est" behind it is taken, too
    std::string label; ///< may be empty
};

/// "https://host[:port]/.well-known/est[/label]/operation" (RFC 7030 section 3.2.2).
///
/// Errc::usage: reason "badUrl", "notHttps", or "badLabel" for a label that is the name of an operation or
/// no single path segment.
ACMETOOL_EXPORT Result<http::Url> url_of(const ServerUrl& server, Operation operation);

} // namespace acmetool::est
