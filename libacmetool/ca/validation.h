#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "dns/query.h"

namespace acmetool::ca
{

struct ValidationOptions {
    dns::Endpoint resolver{"127.0.0.1", 53};
    std::uint16_t http_port = 80;
    bool allow_loopback = false; ///< http-01 targets on this host: for labs
};

/// What a validation found wrong: an ACME error word and a sentence. Nothing of a fetched body is ever in it.
struct ValidationFailure {
    std::string type; ///< "dns", "connection", "incorrectResponse", "unauthorized"
    std::string detail;
};

/// dns-01: looks for `value` among the TXT records at `name`, CNAMEs followed (RFC 8555 section 8.4).
std::optional<ValidationFailure> validate_dns01(const ValidationOptions& options, const std::string& name,
                                                const std::string& value, base::Context& context);

/// http-01: fetches the token's URL (RFC 8555 section 8.3). The name is resolved by our resolver, and only
/// addresses that a public host may have are asked; redirects are not followed.
std::optional<ValidationFailure> validate_http01(const ValidationOptions& options, const std::string& name,
                                                 const std::string& token,
                                                 const std::string& key_authorization,
                                                 base::Context& context);

/// True for addresses that a request of ours must not be led to: loopback, private, link-local, multicast and
/// the like, IPv4-mapped ones included. `allow_loopback` excepts 127.0.0.0/8 and ::1.
ACMETOOL_EXPORT bool is_forbidden_target(const std::string& address, bool allow_loopback);

} // namespace acmetool::ca
