#pragma once

#include <string>
#include <vector>

#include "base/context.h"
#include "base/result.h"

/// How a pledge finds a registrar or a proxy to one (RFC 8995 section 4 and appendices A and B).
namespace acmetool::brski
{

/// A possible registrar. Whoever offers it is a stranger; only a voucher makes it trusted.
struct Candidate {
    std::string url;    ///< "https://[fe80::1%25eth0]:8443"; the host is an address literal
    std::string source; ///< for people: "registrar._brski-registrar._tcp.local (mDNS on eth0)"
};

/// Join proxies and registrars on these links, or on all, by multicast DNS: "_brski-proxy._tcp.local" and
/// "_brski-registrar._tcp.local". Empty if nobody answers. Errors: unavailable (reason "noInterface"),
/// interrupted.
ACMETOOL_EXPORT Result<std::vector<Candidate>> discover_on_links(const std::vector<std::string>& interfaces,
                                                                 base::Context& context);

/// Registrars that the domain's name servers know: "_brski-registrar._tcp.DOMAIN", by the system's resolver.
/// Empty if there are none. Errors: those of dns::query.
ACMETOOL_EXPORT Result<std::vector<Candidate>> discover_in_domain(const std::string& domain,
                                                                  base::Context& context);

} // namespace acmetool::brski
