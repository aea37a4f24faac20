#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/context.h"
#include "base/result.h"
#include "dns/query.h"
#include "net/endpoint.h"

/// CAA records (RFC 8659), and what they say of one account at one CA (RFC 8657).
namespace acmetool::acme
{

struct CaaRecord {
    unsigned flags = 0; ///< 128: issuer critical
    std::string tag;    ///< in lower case; empty where the record is malformed
    std::string value;
};

/// The records that count for a domain.
struct ACMETOOL_EXPORT CaaSet {
    std::string name; ///< where they are: the domain or one above it; empty where there are none
    std::vector<CaaRecord> records;
};

/// Looks for them (RFC 8659 section 3): the first ones on the way from `domain` to the root. An authoritative
/// server as `resolver` is asked as far up as it answers. Errors: those of dns::query(), unavailable (reason
/// "dnsRcode").
ACMETOOL_EXPORT Result<CaaSet> find_caa(const net::Endpoint& resolver, const std::string& domain,
                                        base::Context& context);

/// Who wants to issue for whom.
struct ACMETOOL_EXPORT CaaRequest {
    std::vector<std::string> issuers; ///< names of the CA in CAA records, in lower case
    std::string account_uri;
    std::vector<std::string> methods; ///< all of them are needed; may be empty
    bool wildcard = false;
};

/// Why `records` do not allow it, "they name other.example"; nothing where they do. Pure.
ACMETOOL_EXPORT std::optional<std::string> caa_objection(const std::vector<CaaRecord>& records,
                                                         const CaaRequest& request);

} // namespace acmetool::acme
