#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "http/url.h"

namespace acmetool::est
{

/// The operations of EST (RFC 7030 section 3.2.2). /fullcmc and /serverkeygen are not supported.
enum class Operation { cacerts, csrattrs, simpleenroll, simplereenroll };

/// The path segment, "simpleenroll".
ACMETOOL_EXPORT std::string_view name_of(Operation operation);

/// True for a label that our server can have: at most 64 unreserved characters, which URLs have as they are,
/// and not the name of an operation.
ACMETOOL_EXPORT bool is_server_label(std::string_view label);

/// A server and, if it has several CAs, the label of one.
struct ServerUrl {
    std::string url;   ///< "https://ra.example:8443"; may end in "/.well-known/est"
    std::string label; ///< may be empty
};

/// "https://host[:port]/.well-known/est[/label]/operation" (RFC 7030 section 3.2.2).
///
/// Errc::usage: reason "badUrl", "notHttps", or "badLabel" for a label that is the name of an operation or
/// not a single path segment.
ACMETOOL_EXPORT Result<http::Url> url_of(const ServerUrl& server, Operation operation);

} // namespace acmetool::est
