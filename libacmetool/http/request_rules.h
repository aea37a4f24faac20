#pragma once

#include <string>
#include <string_view>

#include "http/client.h"

#include "acmetool/export.h"

/// What a request's head must be, beyond its syntax.
namespace acmetool::http
{

/// Why a request must be answered 400 and the connection closed; empty if it is good. `minor` is the 1 of
/// HTTP/1.1, `headers` have their names in lower case.
///
/// Transfer-Encoding is `chunked` only: with any other coding a proxy in front may see the end of the body
/// elsewhere (RFC 9112 section 6.3). Host appears once in HTTP/1.1, and at most once in HTTP/1.0
/// (section 3.2).
ACMETOOL_EXPORT std::string objection_to(const Headers& headers, int minor);

/// Path and query of a request-target: of its absolute-form (RFC 9112 section 3.2.2) too; any other form as
/// it is.
ACMETOOL_EXPORT std::string origin_form(std::string_view target);

} // namespace acmetool::http
