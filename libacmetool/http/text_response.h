#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "http/server.h"

namespace acmetool::http
{

/// A sentence for people as text/plain, sanitized for a terminal. 202 and 401 have no body, because a
/// widespread EST client fails on one. Their meaning is in Retry-After and WWW-Authenticate, and the reason
/// in the server's log.
ACMETOOL_EXPORT ServerResponse text_response(int status, std::string_view sentence);

/// The same with several lines.
ACMETOOL_EXPORT ServerResponse text_lines(int status, const std::vector<std::string>& lines);

} // namespace acmetool::http
