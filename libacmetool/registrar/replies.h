#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "brski/audit_log.h"
#include "crypto/cert.h"
#include "http/client.h"
#include "registrar/options.h"
#include "registrar/records.h"

/// What the replies of a MASA are worth to its registrar.
namespace acmetool::registrar
{

inline constexpr std::chrono::seconds kLongestWait{60}; ///< between two requests for one device

/// What a MASA wrote with its refusal, fit for a log line and for the pledge (RFC 8995 section 5.6).
std::string words_of(const http::Response& reply);

/// Retry-After, at most kLongestWait.
std::optional<std::chrono::seconds> asked_wait(const http::Response& reply);

struct AcceptedVoucher {
    std::string type;          ///< media type
    std::string pinned_domain; ///< domainID of what it pins
};
/// The registrar does not alter a voucher, and looks whether it is of use: for this device and request, and
/// pinning the domain of `registrar`, its own chain (RFC 8995 section 5.6). Whose signature it bears is the
/// pledge's question. Errc::protocol.
Result<AcceptedVoucher> accept_voucher(const Record& record,
                                       const std::vector<crypto::Certificate>& registrar,
                                       const http::Response& reply);

/// The domainID that the record's voucher pins.
Result<std::string> pinned_domain(const Record& record, const std::vector<crypto::Certificate>& registrar);

/// Whether an audit log lets the device in (RFC 8995 section 5.8.3). Errc::refused, protocol.
Result<void> accept_log(const Options& options, const brski::OwnVouchers& own, const http::Response& reply);

} // namespace acmetool::registrar
