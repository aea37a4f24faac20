#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/context.h"
#include "base/result.h"
#include "dns/query.h"

/// DNS-based service discovery (RFC 6763), over unicast or multicast DNS.
namespace acmetool::dns
{

/// One instance of a service, for example a registrar.
struct Service {
    std::string
        instance; ///< "registrar._brski-registrar._tcp.example.com", lower case, escaped as in zone files
    std::string host;
    std::uint16_t port = 0;
    std::vector<std::string> addresses; ///< literals without zone; link-local IPv6 ones first, IPv4 last
};

/// Looks up the records of a type at a name; empty if there are none.
using Lookup = std::function<Result<std::vector<Record>>(const std::string& name, Type type)>;

/// The instances of `service`, for example "_brski-registrar._tcp.example.com", in the order in which RFC
/// 2782 has them tried. At most 16, with at most 8 addresses each.
///
/// Whoever answers is a stranger. Instances elsewhere than below `service` and addresses of this host or of
/// groups are ignored, with a warning. Errors: those of a lookup, if nothing was found before it.
ACMETOOL_EXPORT Result<std::vector<Service>> find_services(const std::string& service, const Lookup& lookup,
                                                           base::Context& context);

} // namespace acmetool::dns
