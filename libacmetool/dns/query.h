#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/context.h"
#include "base/result.h"

/// DNS questions asked of one server.
namespace acmetool::dns
{

/// Where a server listens.
struct ACMETOOL_EXPORT Endpoint {
    std::string host; ///< name or address literal, without brackets
    std::uint16_t port = 53;

    std::string text() const; ///< "127.0.0.1:53", "[::1]:53"
    auto operator<=>(const Endpoint&) const = default;
};
/// "HOST", "HOST:PORT", "[V6]:PORT", or a bare IPv6 address or "[V6]". Errc::usage.
ACMETOOL_EXPORT Result<Endpoint> parse_endpoint(std::string_view text, std::uint16_t port_if_none = 53);
/// The first name server of /etc/resolv.conf; 127.0.0.1 where it names none.
ACMETOOL_EXPORT Endpoint system_resolver();
/// The resolver that `text` names as parse_endpoint takes it, the system's where it is empty.
ACMETOOL_EXPORT Result<Endpoint> resolver_of(std::string_view text);

enum class Type : std::uint16_t { a = 1, ns = 2, cname = 5, soa = 6, txt = 16, aaaa = 28, caa = 257 };

struct Record {
    std::string owner; ///< lower case, no trailing dot
    Type type;
    std::string data; ///< address, host name (lower case, no trailing dot), the joined strings of a TXT, or
                      ///< "flags tag value" of a CAA (RFC 8659 section 4.1), empty where it is malformed
};

struct Answer {
    int rcode = 0;
    std::string rcode_text; ///< "NOERROR", "NXDOMAIN"
    bool truncated = false;
    std::vector<Record> answers;   ///< of the types above, others are left out
    std::vector<Record> authority; ///< likewise
};

/// Parses a DNS message from a server. Pure; Errc::protocol where it is no message.
ACMETOOL_EXPORT Result<Answer> parse_answer(ByteView message);

/// Asks `server` over UDP, and TCP where the answer is truncated; three tries of two seconds. `recursive`
/// sets RD. Errors: unavailable (reason "dnsTimeout", "dnsHost"), protocol, interrupted.
ACMETOOL_EXPORT Result<Answer> query(const Endpoint& server, const std::string& name, Type type,
                                     bool recursive, base::Context& context);

/// Sends the octets of a DNS message and returns those of the reply with the same Id.
Result<Bytes> exchange(const Endpoint& server, ByteView message, bool tcp, base::Context& context);

/// The enclosing zone of `name`: the owner of the SOA record that `server` answers with. Errors: those of
/// query(), refused (reason "dnsRcode").
ACMETOOL_EXPORT Result<std::string> find_zone(const Endpoint& server, const std::string& name,
                                              base::Context& context);

} // namespace acmetool::dns
