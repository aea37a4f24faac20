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

/// ACME Renewal Information: when the CA would like a certificate to be renewed (RFC 9773).
namespace acmetool::acme
{

/// The suggested window of a RenewalInfo object (RFC 9773 section 4.2); `start` is before `end`.
struct RenewalInfo {
    base::TimePoint start;
    base::TimePoint end;
    std::string explanation_url; ///< a page for people; empty: none, or one that is no https URL
};

/// Parses a RenewalInfo object. Errc::protocol ("badRenewalInfo"), also where the window ends at or before
/// its start, which counts as no answer.
ACMETOOL_EXPORT Result<RenewalInfo> parse_renewal_info(std::string_view json);

/// The moment of the window that `random`, uniform over all its values, chooses (RFC 9773 section 4.2).
ACMETOOL_EXPORT base::TimePoint moment_in(const RenewalInfo& info, std::uint32_t random);

/// How long an answer counts where the server does not say, and after a failure (RFC 9773 section 4.3).
inline constexpr std::chrono::hours kRenewalInfoRetry{6};

struct RenewalInfoAnswer {
    RenewalInfo info;
    std::chrono::seconds ask_again{kRenewalInfoRetry}; ///< Retry-After, kept between a minute and a day
};

/// Asks for the renewal information of a certificate: an unsigned GET, one request.
///
/// Errors: unavailable ("renewalInfoUnsupported": the directory has no such URL, no request was made),
/// bad_input ("noCertId": the certificate names no key of its issuer; "certificateExpired"), protocol, and
/// what the server's problem document means.
ACMETOOL_EXPORT Result<RenewalInfoAnswer> fetch_renewal_info(Client& client,
                                                             const crypto::Certificate& certificate);

/// The `renewal-info` document.
ACMETOOL_EXPORT base::Json renewal_info_document(const crypto::Certificate& certificate,
                                                 const RenewalInfoAnswer& answer, base::TimePoint now);

} // namespace acmetool::acme
