#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/context.h"
#include "base/result.h"
#include "net/endpoint.h"

/// DNS queries to one server.
namespace acmetool::dns
{

/// The first name server of /etc/resolv.conf; 127.0.0.1 if it lists none.
ACMETOOL_EXPORT net::Endpoint system_resolver();
/// The resolver given by `text`, in the form of parse_endpoint; the system's if it is empty.
ACMETOOL_EXPORT Result<net::Endpoint> resolver_of(std::string_view text);

enum class Type : std::uint16_t { a = 1, ns = 2, cname = 5, soa = 6, txt = 16, aaaa = 28, caa = 257 };

struct Record {
    std::string owner; ///< lower case, no trailing dot
    Type type;
    std::string data; ///< address, host name (lower case, no trailing dot), the joined strings of a TXT, or
                      ///< "flags tag value" of a CAA (RFC 8659 section 4.1), empty if it is malformed
};

struct Answer {
    int rcode = 0;
    std::string rcode_text; ///< "NOERROR", "NXDOMAIN"
    bool truncated = false;
    std::vector<Record> answers;   ///< of the types above; others are omitted
    std::vector<Record> authority; ///< likewise
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

/// Queries `server` over UDP, and over TCP if the answer is truncated; three tries of two seconds.
/// `recursive` sets RD. Returns the answers of chain_of(). Errors: unavailable (reason "dnsTimeout",
/// "dnsHost"), protocol, interrupted.
ACMETOOL_EXPORT Result<Answer> query(const net::Endpoint& server, const std::string& name, Type type,
                                     bool recursive, base::Context& context);

/// Checks whether a reply can be the server's.
using CheckReply = std::function<Result<void>(ByteView reply)>;

/// Sends the octets of a DNS message and returns those of the reply to it.
///
/// Over UDP, datagrams that are not replies to it or fail `check` are ignored during the try, so that a
/// forged one does not displace the server's. If none was valid, the error is that of the last check. Over
/// TCP they are immediate errors (protocol, reason "dnsMismatch").
Result<Bytes> exchange(const net::Endpoint& server, ByteView message, bool tcp, const CheckReply& check,
                       base::Context& context);

/// The enclosing zone of `name`: the owner of the SOA record that `server` answers with. Errors: those of
/// query(), refused (reason "dnsRcode").
ACMETOOL_EXPORT Result<std::string> find_zone(const net::Endpoint& server, const std::string& name,
                                              base::Context& context);

} // namespace acmetool::dns
