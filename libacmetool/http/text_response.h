#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "http/server.h"

namespace acmetool::http
{

/// A sentence for people, as text/plain and fit for a terminal. 202 and 401 go without it: a widespread
/// client of EST cannot go on from a body that it did not read. What they mean is in Retry-After and
/// WWW-Authenticate, and the reason belongs in the server's log.
ACMETOOL_EXPORT ServerResponse text_response(int status, std::string_view sentence);

/// The same with several lines.
ACMETOOL_EXPORT ServerResponse text_lines(int status, const std::vector<std::string>& lines);

} // namespace acmetool::http
