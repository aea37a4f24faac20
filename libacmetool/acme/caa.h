#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/context.h"
#include "base/result.h"
#include "dns/query.h"
#include "net/endpoint.h"

/// CAA records (RFC 8659), and whether they allow an account of a CA to issue (RFC 8657).
namespace acmetool::acme
{

struct CaaRecord {
    unsigned flags = 0; ///< 128: issuer critical
    std::string tag;    ///< in lower case; empty if the record is malformed
    std::string value;
};

/// The records that apply to a domain.
struct ACMETOOL_EXPORT CaaSet {
    std::string name; ///< their owner: the domain or a parent; empty if there are none
    std::vector<CaaRecord> records;
};

/// Looks them up (RFC 8659 section 3): the first ones on the way from `domain` to the root. If `resolver` is
/// an authoritative server, the search ends where it is no longer authoritative. Errors: those of
/// dns::query(), unavailable (reason "dnsRcode").
ACMETOOL_EXPORT Result<CaaSet> find_caa(const dns::Resolver& resolver, const std::string& domain,
                                        base::Context& context);

/// The CA and account that want to issue.
struct ACMETOOL_EXPORT CaaRequest {
    std::vector<std::string> issuers; ///< names of the CA in CAA records, in lower case
    std::string account_uri;
    std::vector<std::string> methods; ///< all of them must be allowed; may be empty
    bool wildcard = false;
};

/// Why `records` do not allow it, such as "they name other.example"; nothing if they do. Pure.
ACMETOOL_EXPORT std::optional<std::string> caa_objection(const std::vector<CaaRecord>& records,
                                                         const CaaRequest& request);

} // namespace acmetool::acme
