#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/context.h"
#include "base/result.h"
#include "net/endpoint.h"

/// DNS queries.
namespace acmetool::dns
{

/// Servers that give the same answers, and how they are asked.
struct Resolver {
    std::vector<net::Endpoint> servers{{"127.0.0.1", 53}}; ///< at least one
    base::Milliseconds timeout{2000};                      ///< of one try
    unsigned attempts = 3;                                 ///< tries for each server
    bool rotate = false;                                   ///< begin with any server, at random

    Resolver() = default;
    Resolver(net::Endpoint server)
        : servers{std::move(server)} {}       ///< implicit: one server is a resolver, too
    ACMETOOL_EXPORT std::string text() const; ///< "192.0.2.1:53, 192.0.2.2:53"
};

/// Reads resolv.conf(5): at most three addresses as nameserver, and the options timeout, attempts and rotate
/// with the limits given there. Without a usable nameserver it is 127.0.0.1. Pure.
ACMETOOL_EXPORT Resolver parse_resolv_conf(std::string_view text);

/// What /etc/resolv.conf says.
ACMETOOL_EXPORT Resolver system_resolver();
/// The resolver given by `text`, in the form of parse_endpoint; the system's if it is empty.
ACMETOOL_EXPORT Result<Resolver> resolver_of(std::string_view text);

enum class Type : std::uint16_t {
    a = 1,
    ns = 2,
    cname = 5,
    soa = 6,
    ptr = 12,
    txt = 16,
    aaaa = 28,
    srv = 33,
    caa = 257
};

struct Record {
    std::string owner; ///< lower case, no trailing dot
    Type type;
    std::string data; ///< address, host name (lower case, no trailing dot), the joined strings of a TXT,
                      ///< "flags tag value" of a CAA (RFC 8659 section 4.1), empty if it is malformed, or
                      ///< "priority weight port target" of an SRV (RFC 2782)
};

struct Answer {
    int rcode = 0;
    std::string rcode_text; ///< "NOERROR", "NXDOMAIN"
    bool truncated = false;
    std::vector<Record> answers;    ///< of the types above; others are omitted
    std::vector<Record> authority;  ///< likewise
    std::vector<Record> additional; ///< likewise
};

/// A longer chain of CNAMEs is treated as a loop.
inline constexpr int kMostCnames = 8;

/// Parses a DNS message from a server. Pure. Errc::protocol if it is not a message.
ACMETOOL_EXPORT Result<Answer> parse_answer(ByteView message);

/// True if `reply` is a response to `asked`, a message of ours with one question: same Id, opcode and
/// question (RFC 5452 section 9.1), the name compared without case. A reply without a question is accepted if
/// it answers an update (RFC 2136 section 3.8) or reports that the server could not read the question
/// (FORMERR, NOTIMP). Pure.
ACMETOOL_EXPORT bool is_reply_to(ByteView asked, ByteView reply);

/// The records of `answers` that answer a question for `name` and `type`: the chain of CNAMEs from `name` in
/// order, then the records of `type` at its end. Other records in the answer section are omitted. Pure.
ACMETOOL_EXPORT std::vector<Record> chain_of(const std::vector<Record>& answers, const std::string& name,
                                             Type type);

/// Queries the servers over UDP, and over TCP if the answer is truncated. The next server is asked if one
/// does not answer, or answers SERVFAIL, NOTIMP or REFUSED. `recursive` sets RD. Returns the answers of
/// chain_of(). Errors: unavailable (reason "dnsTimeout", "dnsHost"; "dnsNoRoute" if this host cannot reach
/// the only server's address family), protocol, interrupted.
ACMETOOL_EXPORT Result<Answer> query(const Resolver& resolver, const std::string& name, Type type,
                                     bool recursive, base::Context& context);

/// A query for `name`, which may contain escapes as in zone files. Errc::bad_input.
Result<Bytes> query_message(const std::string& name, Type type, bool recursive);

/// Checks whether a reply can be the server's.
using CheckReply = std::function<Result<void>(ByteView reply)>;

/// How often a server is asked over UDP, and how long each time; over TCP once.
struct Tries {
    unsigned count = 3;
    base::Milliseconds time{2000};
};

/// Sends the octets of a DNS message and returns those of the reply to it.
///
/// Over UDP, datagrams that are not replies to it or fail `check` are ignored during the try, so that a
/// forged one does not displace the server's. If none was valid, the error is that of the last check. Over
/// TCP they are immediate errors (protocol, reason "dnsMismatch").
Result<Bytes> exchange(const net::Endpoint& server, ByteView message, bool tcp, const CheckReply& check,
                       base::Context& context, Tries tries = {});

/// The enclosing zone of `name`: the owner of the SOA record that `server` answers with. Errors: those of
/// query(), refused (reason "dnsRcode").
ACMETOOL_EXPORT Result<std::string> find_zone(const Resolver& server, const std::string& name,
                                              base::Context& context);

} // namespace acmetool::dns
