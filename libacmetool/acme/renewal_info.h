#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "acme/client.h"
#include "base/json.h"
#include "base/result.h"
#include "base/time.h"
#include "crypto/cert.h"

/// ACME Renewal Information: when the CA suggests renewing a certificate (RFC 9773).
namespace acmetool::acme
{

/// The suggested window of a RenewalInfo object (RFC 9773 section 4.2); `start` is before `end`.
struct RenewalInfo {
    base::TimePoint start;
    base::TimePoint end;
    std::string explanation_url; ///< page for people; empty: none, or not an https URL
};

/// Parses a RenewalInfo object. Errc::protocol ("badRenewalInfo"), also if the window ends at or before its
/// start.
ACMETOOL_EXPORT Result<RenewalInfo> parse_renewal_info(std::string_view json);

/// The moment in the window selected by `random`, a uniform random number (RFC 9773 section 4.2).
ACMETOOL_EXPORT base::TimePoint moment_in(const RenewalInfo& info, std::uint32_t random);

/// How long an answer is used if the server does not specify it, and the wait after a failure (RFC 9773
/// section 4.3).
inline constexpr std::chrono::hours kRenewalInfoRetry{6};

struct RenewalInfoAnswer {
    RenewalInfo info;
    std::chrono::seconds ask_again{kRenewalInfoRetry}; ///< Retry-After, kept between a minute and a day
};

/// Requests the renewal information of a certificate with one unsigned GET.
///
/// Errors: unavailable ("renewalInfoUnsupported": the directory has no such URL, so no request was sent),
/// bad_input ("noCertId": the certificate does not identify its issuer's key; "certificateExpired"),
/// protocol, and the mapping of the server's problem document.
ACMETOOL_EXPORT Result<RenewalInfoAnswer> fetch_renewal_info(Client& client,
                                                             const crypto::Certificate& certificate);

/// The `renewal-info` document.
ACMETOOL_EXPORT base::Json renewal_info_document(const crypto::Certificate& certificate,
                                                 const RenewalInfoAnswer& answer, base::TimePoint now);

} // namespace acmetool::acme
