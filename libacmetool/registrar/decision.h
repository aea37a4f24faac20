#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "acmetool/export.h"
#include "base/bytes.h"

/// What the registrar answers to a pledge. Each protocol has its own numbers for it (est_adapter.h,
/// teap_adapter.h).
namespace acmetool::registrar
{

/// Why there is no voucher, or why a message is not taken. The store holds these numbers.
enum class Cause {
    none = 0,
    no_certificate = 1,       ///< the peer showed none
    unknown_device = 2,       ///< of no manufacturer here, or none that asked for a voucher
    unauthenticated = 3,      ///< the registration authority does not know the device
    unwelcome = 4,            ///< the registration authority refuses it
    unavailable = 5,          ///< the registration authority or the store cannot answer now; see retry_after
    malformed = 6,            ///< not a document of the format it claims to be
    unknown_media_type = 7,   ///< a document of no format that is known here
    no_such_format = 8,       ///< the pledge accepts no format that vouchers have
    other_registrar = 9,      ///< the voucher-request names another registrar (RFC 8995 section 5.2)
    bad_request = 10,         ///< the voucher-request is not this device's, or not signed by it
    misconfigured = 11,       ///< the registrar cannot sign
    replaced = 12,            ///< the same device came with another request
    masa_not_allowed = 13,    ///< the device's MASA is not among its manufacturer's
    masa_refused = 14,        ///< the MASA refuses
    masa_unknown = 15,        ///< the MASA does not know the device (404)
    masa_no_such_format = 16, ///< the MASA has no voucher in this format (406)
    masa_silent = 17,         ///< the MASA did not answer for too long
    bad_voucher = 18,         ///< the voucher is of no use for this device or registrar
    bad_audit_log = 19,       ///< the MASA's log tells of what the policy does not take
    masa_pending = 20,        ///< the MASA answered for too long that it has not decided yet
};

inline constexpr Cause kLastCause = Cause::masa_pending;

/// The name of a cause in logs and events: "masaSilent".
ACMETOOL_EXPORT std::string_view name_of(Cause cause);
/// The cause of that name; `none` if there is none.
ACMETOOL_EXPORT Cause cause_named(std::string_view name);

struct Granted {
    Bytes voucher;    ///< as the MASA sent it
    std::string type; ///< media type
};
struct Later {
    std::chrono::seconds retry_after;
};
struct Refused {
    Cause cause = Cause::none;
    std::string text; ///< one sentence; lower case, no full stop
    std::optional<std::chrono::seconds> retry_after = {};
};
using Decision = std::variant<Granted, Later, Refused>;

} // namespace acmetool::registrar
