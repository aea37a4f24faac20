#pragma once

#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"

/// The status messages of a pledge (RFC 8995 sections 5.7 and 5.9.4).
namespace acmetool::brski
{

struct Status {
    bool status = false;        ///< true: success
    std::string reason;         ///< for people; may be empty
    std::string reason_context; ///< a JSON object as text; may be empty
};

/// Whether a Content-Type is that of a status message, application/json.
ACMETOOL_EXPORT bool is_status_type(std::string_view content_type);

/// Reads voucher_status or enrollstatus. "version" must be 1, as number or string. Unknown members are listed
/// in `unknown` if that is not null, else ignored. Keys may be in any case, because some pledges use another
/// one. Errc::bad_input, reason "badStatus".
ACMETOOL_EXPORT Result<Status> parse_status(std::string_view json, std::string* unknown = nullptr);

ACMETOOL_EXPORT std::string to_json(const Status& status);

} // namespace acmetool::brski
