#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/context.h"
#include "base/result.h"
#include "dns/query.h"

/// Questions to the hosts of a link (RFC 6762).
namespace acmetool::dns
{

/// Sends one-shot queries (RFC 6762 section 5.1) over IPv6 and IPv4, again after one and three seconds if
/// nobody answers, and keeps what it hears.
///
/// Replies count only if they come from port 5353 of a host on that link (section 11) and repeat our question
/// and Id (section 6.7). They are a stranger's nevertheless. Used by one thread at a time.
class ACMETOOL_EXPORT MulticastDns
{
public:
    /// Opens sockets on the interfaces with these names, or on all that are up and can multicast, except for
    /// loopback and point-to-point ones. Errors: unavailable (reason "noInterface"), interrupted.
    static Result<std::unique_ptr<MulticastDns>> open(const std::vector<std::string>& interfaces,
                                                      base::Context& context);
    ~MulticastDns();
    MulticastDns(const MulticastDns&) = delete;
    MulticastDns& operator=(const MulticastDns&) = delete;

    std::vector<std::string> interfaces() const;
    /// Asks all links for the instances of these services, which several hosts may have, and hears them all.
    Result<void> browse(const std::vector<std::string>& services);
    /// The records at `name` that are known from one link; asks that link if there are none. PTR records are
    /// only those of browse(), and a host of which some address is known is not asked for others.
    Result<std::vector<Record>> lookup(const std::string& interface, const std::string& name, Type type);

private:
    struct Impl;
    explicit MulticastDns(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

} // namespace acmetool::dns
