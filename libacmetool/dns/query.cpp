#include "dns/query.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>

#include <fmt/core.h>

#include "base/text.h"
#include "crypto/digest.h"
#include "dns/ldns_ptr.h"
#include "dns/name.h"
#include "net/endpoint.h"

namespace acmetool::dns
{
namespace
{

constexpr std::size_t kHeaderSize = 12;
constexpr std::uint8_t kResponseBit = 0x80;
constexpr std::uint8_t kOpcodeBits = 0x78;
constexpr std::uint8_t kUpdateOpcode = 5 << 3;

class Socket
{
public:
    explicit Socket(int fd) : fd_(fd) {}
    Socket(const Socket&) = delete;
    Socket& operator=(const Socket&) = delete;
    ~Socket()
    {
        if (fd_ >= 0) close(fd_);
    }
    int get() const { return fd_; }

private:
    int fd_;
};

struct AddressFree {
    void operator()(addrinfo* list) const noexcept { freeaddrinfo(list); }
};
using Addresses = std::unique_ptr<addrinfo, AddressFree>;

/// One try: its deadline and its context.
struct Try {
    std::chrono::steady_clock::time_point deadline;
    const base::Wait& wait; ///< for the server, since the first try
    base::Context& context;
};

/// Waits until `fd` can be read or written; false at the deadline or once a signal came.
bool wait_for(int fd, short events, const Try& now)
{
    while (!now.context.interrupted()) {
        const auto left =
            std::chrono::ceil<base::Milliseconds>(now.deadline - std::chrono::steady_clock::now()).count();
        if (left <= 0) return false;
        now.context.waiting(now.wait);
        pollfd entry{fd, events, 0};
        const int ready = poll(&entry, 1, static_cast<int>(std::min<long>(left, 100)));
        if (ready > 0) return true;
    }
    return false;
}

/// 0, or the problem as in errno. A silent server delays neither the deadline nor signals.
int connect_to(int fd, const addrinfo& address, const Try& now)
{
    if (connect(fd, address.ai_addr, address.ai_addrlen) == 0) return 0;
    if (errno != EINPROGRESS) return errno;
    if (!wait_for(fd, POLLOUT, now)) return ETIMEDOUT;
    int problem = 0;
    socklen_t size = sizeof problem;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &problem, &size) == 0 ? problem : errno;
}

/// True if this host cannot send anything to the address: it has no address of that family, or no route.
bool is_no_route(int problem)
{
    return problem == ENETUNREACH || problem == EHOSTUNREACH || problem == EADDRNOTAVAIL ||
           problem == EAFNOSUPPORT;
}

bool send_all(int fd, ByteView bytes, const Try& now)
{
    while (!bytes.empty()) {
        if (!wait_for(fd, POLLOUT, now)) return false;
        const auto sent = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent <= 0) return false;
        bytes = bytes.subspan(static_cast<std::size_t>(sent));
    }
    return true;
}

bool read_all(int fd, std::span<std::uint8_t> bytes, const Try& now)
{
    while (!bytes.empty()) {
        if (!wait_for(fd, POLLIN, now)) return false;
        const auto got = recv(fd, bytes.data(), bytes.size(), 0);
        if (got <= 0) return false;
        bytes = bytes.subspan(static_cast<std::size_t>(got));
    }
    return true;
}

/// The result of the tries so far.
struct Outcome {
    Bytes reply;                ///< empty: none yet
    bool no_route = true;       ///< to any address so far
    std::size_t strangers = 0;  ///< datagrams that were not replies to the query
    std::optional<Error> error; ///< of the check that a reply failed
};

/// One try over UDP: the first datagram from the server that answers the message and passes the check.
void try_udp(int fd, ByteView message, const CheckReply& check, const Try& now, Outcome& outcome)
{
    if (!send_all(fd, message, now)) return;
    Bytes reply(65535);
    while (wait_for(fd, POLLIN, now)) {
        const auto got = recv(fd, reply.data(), reply.size(), 0);
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue; // a wrong checksum
        if (got < 0) return;
        const ByteView datagram{reply.data(), static_cast<std::size_t>(got)};
        if (!is_reply_to(message, datagram)) {
            ++outcome.strangers;
        } else if (auto good = check(datagram); !good) {
            outcome.error = std::move(good).error();
        } else {
            outcome.reply.assign(datagram.begin(), datagram.end());
            return;
        }
    }
}

void try_tcp(int fd, ByteView message, const CheckReply& check, const Try& now, Outcome& outcome)
{
    Bytes framed{static_cast<std::uint8_t>(message.size() >> 8),
                 static_cast<std::uint8_t>(message.size() & 255)};
    framed.insert(framed.end(), message.begin(), message.end());
    std::uint8_t length[2];
    if (!send_all(fd, framed, now) || !read_all(fd, length, now)) return;
    Bytes reply(static_cast<std::size_t>(length[0] << 8 | length[1]));
    if (!read_all(fd, reply, now)) return;
    if (!is_reply_to(message, reply)) {
        ++outcome.strangers;
    } else if (auto good = check(reply); !good) {
        outcome.error = std::move(good).error();
    } else {
        outcome.reply = std::move(reply);
    }
}

/// The error if there is no reply.
Error no_reply(const net::Endpoint& server, bool tcp, const Outcome& outcome)
{
    if (outcome.error) return *outcome.error;
    if (outcome.no_route)
        return Error{.code = Errc::unavailable,
                     .message = fmt::format("DNS server {}: no route to it", server.text()),
                     .hint = "this host has no address of that family, or no route",
                     .reason = "dnsNoRoute",
                     .problem_type = {},
                     .problem = {},
                     .retry_after = {}};
    const bool mismatch = tcp && outcome.strangers > 0;
    auto message = mismatch ? fmt::format("DNS server {}: the answer is for another question", server.text())
                            : fmt::format("DNS server {}: no answer", server.text());
    if (!tcp && outcome.strangers > 0)
        message += fmt::format("; ignored {} datagrams that did not answer the question", outcome.strangers);
    return Error{.code = mismatch ? Errc::protocol : Errc::unavailable,
                 .message = std::move(message),
                 .hint = outcome.strangers > 0
                             ? "another host on the path may have answered instead of the server"
                             : "check that it is running and that firewalls allow UDP and TCP",
                 .reason = mismatch ? "dnsMismatch" : "dnsTimeout",
                 .problem_type = {},
                 .problem = {},
                 .retry_after = {}};
}

/// The end of the first question of `message`, after its type and class. 0 if it is incomplete.
std::size_t end_of_question(ByteView message)
{
    std::size_t at = kHeaderSize;
    while (at < message.size() && message[at] != 0)
        at += std::size_t{1} + message[at];
    at += 5;
    return at <= message.size() ? at : 0;
}

std::string plain_name(const ldns_rdf* name)
{
    const LdnsText text{ldns().rdf2str(name)};
    auto plain = base::to_lower(text ? text.get() : "");
    if (plain.ends_with('.') && plain.size() > 1) plain.pop_back();
    return plain;
}

/// Flags, tag, value (RFC 8659 section 4.1); the tag, letters and digits, in lower case. Empty if the record
/// is malformed.
std::string caa_property(const ldns_rr* rr)
{
    Bytes octets;
    for (std::size_t i = 0; i < ldns().rr_rd_count(rr); ++i) {
        const ldns_rdf* part = ldns().rr_rdf(rr, i);
        octets.insert(octets.end(), ldns().rdf_data(part), ldns().rdf_data(part) + ldns().rdf_size(part));
    }
    if (octets.size() < 2 || octets.size() < std::size_t{2} + octets[1]) return {};
    const auto text = as_text(octets).substr(2);
    const auto tag = base::to_lower(text.substr(0, octets[1]));
    if (tag.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789") != std::string::npos || tag.empty())
        return {};
    return fmt::format("{} {} {}", octets[0], tag, text.substr(octets[1]));
}

/// The strings of a TXT record, joined.
std::string joined_strings(const ldns_rr* rr)
{
    std::string text;
    for (std::size_t i = 0; i < ldns().rr_rd_count(rr); ++i) {
        const ldns_rdf* part = ldns().rr_rdf(rr, i);
        if (ldns().rdf_size(part) > 1)
            text.append(reinterpret_cast<const char*>(ldns().rdf_data(part)) + 1, ldns().rdf_size(part) - 1);
    }
    return text;
}

std::vector<Record> records_of(const ldns_rr_list* list)
{
    std::vector<Record> records;
    for (std::size_t i = 0; i < ldns().rr_list_rr_count(list); ++i) {
        const ldns_rr* rr = ldns().rr_list_rr(list, i);
        if (ldns().rr_get_class(rr) != LDNS_RR_CLASS_IN) continue;
        const auto type = static_cast<Type>(ldns().rr_get_type(rr));
        Record record{plain_name(ldns().rr_owner(rr)), type, {}};
        const ldns_rdf* first = ldns().rr_rd_count(rr) > 0 ? ldns().rr_rdf(rr, 0) : nullptr;
        if (type == Type::txt)
            record.data = joined_strings(rr);
        else if (type == Type::caa)
            record.data = caa_property(rr);
        else if (type == Type::srv && ldns().rr_rd_count(rr) == 4)
            record.data = fmt::format(
                "{} {} {} {}", ldns().rdf2native_int16(first), ldns().rdf2native_int16(ldns().rr_rdf(rr, 1)),
                ldns().rdf2native_int16(ldns().rr_rdf(rr, 2)), plain_name(ldns().rr_rdf(rr, 3)));
        else if (first != nullptr && (type == Type::a || type == Type::aaaa || type == Type::ns ||
                                      type == Type::cname || type == Type::soa || type == Type::ptr))
            record.data = plain_name(first);
        else
            continue;
        records.push_back(std::move(record));
    }
    return records;
}

} // namespace

std::string Resolver::text() const
{
    std::vector<std::string> texts;
    for (const auto& server : servers)
        texts.push_back(server.text());
    return base::join(texts, ", ");
}

Resolver parse_resolv_conf(std::string_view text)
{
    constexpr std::size_t kMostServers = 3; // MAXNS and the others of <resolv.h>
    constexpr unsigned kLongestTimeout = 30;
    constexpr unsigned kMostAttempts = 5;
    Resolver resolver;
    std::vector<net::Endpoint> servers;
    const auto number = [](std::string_view word, unsigned most) -> std::optional<unsigned> {
        unsigned value = 0;
        const auto* const last = word.data() + word.size();
        const auto [end, problem] = std::from_chars(word.data(), last, value);
        if (end != last || word.empty() || problem == std::errc::invalid_argument) return std::nullopt;
        return problem == std::errc{} ? std::min(value, most) : most;
    };
    for (auto line : base::split(text, '\n')) {
        std::string plain{line.substr(0, line.find_first_of("#;"))};
        std::replace(plain.begin(), plain.end(), '\t', ' ');
        std::vector<std::string_view> words;
        for (const auto word : base::split(plain, ' '))
            if (const auto trimmed = base::trim(word); !trimmed.empty()) words.push_back(trimmed);
        if (words.size() < 2) continue;
        if (words[0] == "nameserver" && servers.size() < kMostServers && is_ip_literal(words[1]))
            servers.push_back({std::string{words[1]}, 53});
        if (words[0] != "options") continue;
        for (const auto word : words) {
            if (word == "rotate") resolver.rotate = true;
            if (word.starts_with("timeout:"))
                if (const auto seconds = number(word.substr(8), kLongestTimeout); seconds && *seconds > 0)
                    resolver.timeout = std::chrono::seconds{*seconds};
            if (word.starts_with("attempts:"))
                if (const auto count = number(word.substr(9), kMostAttempts); count && *count > 0)
                    resolver.attempts = *count;
        }
    }
    if (!servers.empty()) resolver.servers = std::move(servers);
    return resolver;
}

Resolver system_resolver()
{
    std::ifstream file{"/etc/resolv.conf"};
    return parse_resolv_conf(std::string{std::istreambuf_iterator<char>{file}, {}});
}

Result<Resolver> resolver_of(std::string_view text)
{
    if (text.empty()) return system_resolver();
    ACMETOOL_TRY(server, net::parse_endpoint(text));
    return Resolver{server};
}

bool is_reply_to(ByteView asked, ByteView reply)
{
    if (asked.size() < kHeaderSize || reply.size() < kHeaderSize) return false;
    if (reply[0] != asked[0] || reply[1] != asked[1] || (reply[2] & kResponseBit) == 0 ||
        (reply[2] & kOpcodeBits) != (asked[2] & kOpcodeBits))
        return false;
    const int questions = reply[4] << 8 | reply[5];
    const int rcode = reply[3] & 0x0f;
    if (questions == 0)
        return (asked[2] & kOpcodeBits) == kUpdateOpcode || rcode == LDNS_RCODE_FORMERR ||
               rcode == LDNS_RCODE_NOTIMPL;
    const auto end = end_of_question(asked);
    if (questions != 1 || end == 0 || reply.size() < end) return false;
    const auto name_of = [&](ByteView message) {
        return as_text(message.subspan(kHeaderSize, end - 4 - kHeaderSize));
    };
    // Octets with a label's length are less than those of letters, so they have no case.
    return base::equals_ignoring_case(name_of(asked), name_of(reply)) &&
           std::equal(asked.begin() + static_cast<std::ptrdiff_t>(end) - 4,
                      asked.begin() + static_cast<std::ptrdiff_t>(end),
                      reply.begin() + static_cast<std::ptrdiff_t>(end) - 4);
}

std::vector<Record> chain_of(const std::vector<Record>& answers, const std::string& name, Type type)
{
    std::vector<Record> chain;
    std::string owner = name;
    while (chain.size() <= kMostCnames) {
        const auto alias = std::find_if(answers.begin(), answers.end(), [&](const Record& record) {
            return record.type == Type::cname && same_name(record.owner, owner);
        });
        if (alias == answers.end()) {
            for (const auto& record : answers)
                if (record.type == type && same_name(record.owner, owner)) chain.push_back(record);
            break;
        }
        chain.push_back(*alias);
        owner = alias->data;
    }
    return chain;
}

Result<Bytes> exchange(const net::Endpoint& server, ByteView message, bool tcp, const CheckReply& check,
                       base::Context& context, Tries tries)
{
    addrinfo hints{};
    hints.ai_socktype = tcp ? SOCK_STREAM : SOCK_DGRAM;
    addrinfo* list = nullptr;
    const int problem = getaddrinfo(server.host.c_str(), std::to_string(server.port).c_str(), &hints, &list);
    const Addresses addresses{list};
    if (problem != 0)
        return fail(Errc::unavailable, fmt::format("DNS server {}: {}", server.text(), gai_strerror(problem)),
                    {}, "dnsHost");
    const base::Wait wait{"DNS server " + server.text(), context.steady_now(), {}};
    Outcome outcome;
    for (unsigned attempt = 0; attempt < (tcp ? 1 : tries.count) && !outcome.error && !context.interrupted();
         ++attempt)
        for (const addrinfo* address = list; address != nullptr; address = address->ai_next) {
            const Socket socket{
                ::socket(address->ai_family, address->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
            const Try now{std::chrono::steady_clock::now() + tries.time, wait, context};
            // UDP sockets are also connected: only this server's datagrams are received, and a closed port is
            // detected immediately.
            const int obstacle = socket.get() < 0 ? errno : connect_to(socket.get(), *address, now);
            outcome.no_route = outcome.no_route && is_no_route(obstacle);
            if (obstacle != 0) {
                if (context.interrupted()) break;
                continue;
            }
            (tcp ? try_tcp : try_udp)(socket.get(), message, check, now, outcome);
            if (!outcome.reply.empty()) return std::move(outcome.reply);
            if (outcome.error || context.interrupted()) break;
        }
    if (context.interrupted()) return fail(base::interrupted_error("DNS server " + server.text()));
    return fail(no_reply(server, tcp, outcome));
}

Result<Answer> parse_answer(ByteView message)
{
    ACMETOOL_CHECK(ldns_library());
    ldns_pkt* raw = nullptr;
    const auto status = ldns().wire2pkt(&raw, message.data(), message.size());
    const LdnsPacket packet{raw};
    if (status != LDNS_STATUS_OK)
        return fail(Errc::protocol, fmt::format("not a DNS message: {}", ldns().get_errorstr_by_id(status)),
                    {}, "badDnsMessage");
    Answer answer;
    answer.rcode = ldns().pkt_get_rcode(packet.get());
    const LdnsText text{ldns().pkt_rcode2str(ldns().pkt_get_rcode(packet.get()))};
    answer.rcode_text = text ? text.get() : std::to_string(answer.rcode);
    answer.truncated = ldns().pkt_tc(packet.get());
    answer.answers = records_of(ldns().pkt_answer(packet.get()));
    answer.authority = records_of(ldns().pkt_authority(packet.get()));
    answer.additional = records_of(ldns().pkt_additional(packet.get()));
    return answer;
}

Result<Bytes> query_message(const std::string& name, Type type, bool recursive)
{
    ACMETOOL_CHECK(ldns_library());
    ldns_rdf* owner = ldns().dname_new_frm_str(name.c_str());
    if (owner == nullptr)
        return fail(Errc::bad_input, fmt::format("{}: not a domain name", base::printable(name)));
    const LdnsPacket packet{ldns().pkt_query_new(owner, static_cast<ldns_rr_type>(type), LDNS_RR_CLASS_IN,
                                                 static_cast<std::uint16_t>(recursive ? LDNS_RD : 0))};
    const auto id = crypto::random_number<std::uint16_t>();
    ldns().pkt_set_id(packet.get(), id);
    std::uint8_t* wire = nullptr;
    std::size_t size = 0;
    if (ldns().pkt2wire(&wire, packet.get(), &size) != LDNS_STATUS_OK)
        return fail(Errc::internal, "building a DNS query");
    const LdnsOctets owned{wire};
    return Bytes{wire, wire + size};
}

namespace
{

/// The answer of one server.
Result<Answer> ask(const net::Endpoint& server, const std::string& name, Type type, bool recursive,
                   Tries tries, base::Context& context)
{
    ACMETOOL_TRY(message, query_message(name, type, recursive));
    Answer answer;
    const CheckReply parse = [&](ByteView reply) -> Result<void> {
        auto parsed = parse_answer(reply);
        if (!parsed) return fail(with_context(std::move(parsed).error(), "DNS server " + server.text()));
        answer = std::move(*parsed);
        return {};
    };
    ACMETOOL_CHECK(exchange(server, message, false, parse, context, tries));
    if (answer.truncated) ACMETOOL_CHECK(exchange(server, message, true, parse, context, tries));
    answer.answers = chain_of(answer.answers, name, type);
    return answer;
}

/// True for an answer that says nothing of the name: another server may know it.
bool is_lame(const Answer& answer)
{
    return answer.rcode == LDNS_RCODE_SERVFAIL || answer.rcode == LDNS_RCODE_NOTIMPL ||
           answer.rcode == LDNS_RCODE_REFUSED;
}

} // namespace

Result<Answer> query(const Resolver& resolver, const std::string& name, Type type, bool recursive,
                     base::Context& context)
{
    const auto count = resolver.servers.size();
    if (count == 1)
        return ask(resolver.servers.front(), name, type, recursive, {resolver.attempts, resolver.timeout},
                   context);
    const auto first = resolver.rotate ? crypto::random_number<std::uint16_t>() % count : 0;
    std::optional<Answer> lame;
    std::vector<std::string> failures;
    for (unsigned attempt = 0; attempt < resolver.attempts; ++attempt) {
        failures.clear();
        for (std::size_t i = 0; i < count; ++i) {
            auto answer = ask(resolver.servers[(first + i) % count], name, type, recursive,
                              {1, resolver.timeout}, context);
            if (answer && !is_lame(*answer)) return answer;
            if (answer)
                lame = std::move(*answer);
            else if (answer.error().code == Errc::interrupted || answer.error().code == Errc::bad_input)
                return answer;
            else
                failures.push_back(answer.error().message);
        }
        if (failures.empty()) break; // all answered, and would again
    }
    if (lame) return std::move(*lame);
    return fail(Errc::unavailable, base::join(failures, "; "),
                "check that one of the servers in /etc/resolv.conf is running", "dnsTimeout");
}

Result<std::string> find_zone(const Resolver& server, const std::string& name, base::Context& context)
{
    for (std::string owner = name;;) {
        ACMETOOL_TRY(answer, query(server, owner, Type::soa, true, context));
        for (const auto* section : {&answer.answers, &answer.authority})
            for (const auto& record : *section)
                if (record.type == Type::soa &&
                    (same_name(name, record.owner) || is_subdomain_of(name, record.owner)))
                    return record.owner;
        // At an alias, the server returns the zone of the target, and some resolvers give no SOA with a
        // negative answer: the parent name tells.
        const bool is_answer = answer.rcode == LDNS_RCODE_NOERROR || answer.rcode == LDNS_RCODE_NXDOMAIN;
        const auto dot = owner.find('.');
        if (!is_answer || dot == std::string::npos)
            return fail(
                Errc::refused,
                fmt::format("DNS server {}: no zone for {} ({})", server.text(), name, answer.rcode_text),
                "check that this server is authoritative for the domain", "dnsRcode");
        owner.erase(0, dot + 1);
    }
}

} // namespace acmetool::dns
