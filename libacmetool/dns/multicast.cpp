#include "dns/multicast.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fmt/core.h>

#include "base/text.h"
#include "dns/name.h"

namespace acmetool::dns
{
namespace
{

using Clock = std::chrono::steady_clock;

constexpr std::uint16_t kPort = 5353;
constexpr std::size_t kLargestMessage = 9000; // RFC 6762 section 17
constexpr std::size_t kMostRecords = 512;
constexpr unsigned kMostUnanswered = 4; ///< lookups, so that a host that names many others costs little time
/// When a question is asked again, or given up, counted from the first time.
constexpr std::array<std::chrono::milliseconds, 3> kRounds{
    std::chrono::milliseconds{1000}, std::chrono::milliseconds{3000}, std::chrono::milliseconds{5000}};
constexpr std::chrono::milliseconds kStep{100}; ///< how soon a signal is seen

ByteView octets_of(const sockaddr& address)
{
    if (address.sa_family == AF_INET6)
        return {reinterpret_cast<const sockaddr_in6&>(address).sin6_addr.s6_addr, 16};
    if (address.sa_family != AF_INET) return {};
    return {reinterpret_cast<const std::uint8_t*>(&reinterpret_cast<const sockaddr_in&>(address).sin_addr),
            4};
}

Bytes copy_of(const sockaddr* address)
{
    if (address == nullptr) return {};
    const auto octets = octets_of(*address);
    return {octets.begin(), octets.end()};
}

/// A network of an interface.
struct Prefix {
    Bytes address;
    Bytes mask;

    bool contains(ByteView other) const
    {
        if (other.size() != address.size() || mask.size() != address.size()) return false;
        for (std::size_t i = 0; i < other.size(); ++i)
            if (((other[i] ^ address[i]) & mask[i]) != 0) return false;
        return true;
    }
};

/// The socket of one address family on one interface.
class LinkSocket
{
public:
    LinkSocket(int family, unsigned interface)
        : fd_(::socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)), family_(family),
          interface_(interface)
    {
        const int on = 1;
        const int hops = 255; // RFC 6762 section 11
        if (family == AF_INET6) {
            setsockopt(fd_, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
            setsockopt(fd_, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof on);
            setsockopt(fd_, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops, sizeof hops);
            setsockopt(fd_, IPPROTO_IPV6, IPV6_MULTICAST_IF, &interface, sizeof interface);
        } else {
            ip_mreqn through{};
            through.imr_ifindex = static_cast<int>(interface);
            setsockopt(fd_, IPPROTO_IP, IP_PKTINFO, &on, sizeof on);
            setsockopt(fd_, IPPROTO_IP, IP_MULTICAST_TTL, &hops, sizeof hops);
            setsockopt(fd_, IPPROTO_IP, IP_MULTICAST_IF, &through, sizeof through);
        }
    }
    LinkSocket(LinkSocket&& other) noexcept
        : fd_(std::exchange(other.fd_, -1)), family_(other.family_), interface_(other.interface_)
    {
    }
    LinkSocket& operator=(LinkSocket&&) = delete;
    LinkSocket(const LinkSocket&) = delete;
    LinkSocket& operator=(const LinkSocket&) = delete;
    ~LinkSocket()
    {
        if (fd_ >= 0) close(fd_);
    }

    int fd() const { return fd_; }

    /// False if the interface has no address of this family.
    bool send(ByteView message) const
    {
        sockaddr_storage group{};
        socklen_t size = sizeof(sockaddr_in);
        if (family_ == AF_INET6) {
            auto& v6 = reinterpret_cast<sockaddr_in6&>(group);
            v6.sin6_family = AF_INET6;
            v6.sin6_port = htons(kPort);
            v6.sin6_scope_id = interface_;
            inet_pton(AF_INET6, "ff02::fb", &v6.sin6_addr);
            size = sizeof v6;
        } else {
            auto& v4 = reinterpret_cast<sockaddr_in&>(group);
            v4.sin_family = AF_INET;
            v4.sin_port = htons(kPort);
            inet_pton(AF_INET, "224.0.0.251", &v4.sin_addr);
        }
        return sendto(fd_, message.data(), message.size(), MSG_NOSIGNAL,
                      reinterpret_cast<const sockaddr*>(&group),
                      size) == static_cast<ssize_t>(message.size());
    }

    /// The next datagram from port 5353 of a host in one of the networks; nothing if there is none, or if it
    /// came from elsewhere: then `strangers` is counted.
    Bytes receive(const std::vector<Prefix>& networks, std::size_t& strangers) const
    {
        Bytes octets(kLargestMessage);
        sockaddr_storage from{};
        std::array<std::uint8_t, 256> control{};
        iovec part{octets.data(), octets.size()};
        msghdr message{};
        message.msg_name = &from;
        message.msg_namelen = sizeof from;
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        message.msg_control = control.data();
        message.msg_controllen = control.size();
        const auto got = recvmsg(fd_, &message, 0);
        if (got < 0) return {};
        const auto& source = reinterpret_cast<const sockaddr&>(from);
        const auto port = family_ == AF_INET6 ? reinterpret_cast<const sockaddr_in6&>(from).sin6_port
                                              : reinterpret_cast<const sockaddr_in&>(from).sin_port;
        const bool near = std::any_of(networks.begin(), networks.end(), [&](const Prefix& network) {
            return network.contains(octets_of(source));
        });
        if (ntohs(port) != kPort || interface_of(message) != interface_ || !near) {
            ++strangers;
            return {};
        }
        octets.resize(static_cast<std::size_t>(got));
        return octets;
    }

private:
    static unsigned interface_of(msghdr& message)
    {
        for (auto* part = CMSG_FIRSTHDR(&message); part != nullptr; part = CMSG_NXTHDR(&message, part)) {
            if (part->cmsg_level == IPPROTO_IPV6 && part->cmsg_type == IPV6_PKTINFO) {
                in6_pktinfo info{};
                std::memcpy(&info, CMSG_DATA(part), sizeof info);
                return info.ipi6_ifindex;
            }
            if (part->cmsg_level == IPPROTO_IP && part->cmsg_type == IP_PKTINFO) {
                in_pktinfo info{};
                std::memcpy(&info, CMSG_DATA(part), sizeof info);
                return static_cast<unsigned>(info.ipi_ifindex);
            }
        }
        return 0;
    }

    int fd_;
    int family_;
    unsigned interface_;
};

struct Link {
    std::string name;
    std::vector<Prefix> networks;
    std::vector<LinkSocket> sockets;
    std::vector<Record> known;

    bool knows(const Record& record) const
    {
        return std::any_of(known.begin(), known.end(), [&](const Record& one) {
            return one.type == record.type && one.owner == record.owner && one.data == record.data;
        });
    }
    void learn(const Answer& answer)
    {
        for (const auto* section : {&answer.answers, &answer.additional})
            for (const auto& record : *section)
                if (known.size() < kMostRecords && !knows(record)) known.push_back(record);
    }
    std::vector<Record> at(const std::string& owner, Type type) const
    {
        std::vector<Record> found;
        std::copy_if(known.begin(), known.end(), std::back_inserter(found), [&](const Record& record) {
            return record.type == type && same_name(record.owner, owner);
        });
        return found;
    }
};

struct InterfacesFree {
    void operator()(ifaddrs* list) const noexcept { freeifaddrs(list); }
};

bool can_multicast(unsigned flags)
{
    return (flags & IFF_UP) != 0 && (flags & IFF_MULTICAST) != 0 &&
           (flags & (IFF_LOOPBACK | IFF_POINTOPOINT)) == 0;
}

} // namespace

struct MulticastDns::Impl {
    explicit Impl(base::Context& lent) : context(lent) {}

    base::Context& context;
    std::vector<Link> links;
    unsigned unanswered = 0; ///< lookups

    /// Reads what came; true if any of it answers one of the messages.
    bool hear(Link& link, const LinkSocket& socket, const std::vector<Bytes>& messages)
    {
        std::size_t strangers = 0;
        bool answered = false;
        // No more than a few at a time, however many come.
        for (int count = 0; count < 64; ++count) {
            const auto datagram = socket.receive(link.networks, strangers);
            if (datagram.empty()) break;
            const bool ours = std::any_of(messages.begin(), messages.end(), [&](const Bytes& message) {
                return is_reply_to(message, datagram);
            });
            const auto answer = ours ? parse_answer(datagram) : fail(Errc::protocol, "");
            if (!answer) {
                ++strangers;
                continue;
            }
            link.learn(*answer);
            answered = true;
        }
        if (strangers > 0)
            context.log(
                base::Level::detail,
                fmt::format("mDNS on {}: ignored {} datagrams that do not answer", link.name, strangers));
        return answered;
    }

    bool hear(const std::vector<Link*>& asked, const std::vector<Bytes>& messages)
    {
        bool answered = false;
        for (auto* link : asked)
            for (const auto& socket : link->sockets)
                answered = hear(*link, socket, messages) || answered;
        return answered;
    }

    /// Asks until somebody answers; `all`: and until the end of that round.
    Result<void> ask(const std::vector<Link*>& asked, const std::vector<std::string>& names, Type type,
                     bool all)
    {
        std::vector<Bytes> messages;
        for (const auto& name : names) {
            ACMETOOL_TRY(message, query_message(name, type, false));
            messages.push_back(std::move(message));
        }
        std::vector<pollfd> entries;
        for (const auto* link : asked)
            for (const auto& socket : link->sockets)
                entries.push_back({socket.fd(), POLLIN, 0});
        const base::Wait wait{"answers on the link", context.steady_now(), std::nullopt};
        const auto began = Clock::now();
        bool answered = false;
        for (const auto round : kRounds) {
            if (answered) break;
            bool sent = false;
            for (const auto* link : asked)
                for (const auto& socket : link->sockets)
                    for (const auto& message : messages)
                        sent = socket.send(message) || sent;
            if (!sent) break; // nobody can hear us
            while (all || !answered) {
                const auto left = std::chrono::ceil<std::chrono::milliseconds>(began + round - Clock::now());
                if (left.count() <= 0) break;
                if (context.interrupted()) return fail(base::interrupted_error("multicast DNS"));
                if (const auto end = context.run_ends(); end && context.steady_now() >= *end) return {};
                context.waiting(wait);
                if (poll(entries.data(), entries.size(), static_cast<int>(std::min(left, kStep).count())) > 0)
                    answered = hear(asked, messages) || answered;
            }
        }
        return {};
    }
};

MulticastDns::MulticastDns(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
MulticastDns::~MulticastDns() = default;

Result<std::unique_ptr<MulticastDns>> MulticastDns::open(const std::vector<std::string>& interfaces,
                                                         base::Context& context)
{
    ifaddrs* list = nullptr;
    if (getifaddrs(&list) != 0)
        return fail(Errc::unavailable, fmt::format("the network interfaces: {}", std::strerror(errno)), {},
                    "noInterface");
    const std::unique_ptr<ifaddrs, InterfacesFree> owned{list};
    auto impl = std::make_unique<Impl>(context);
    for (const auto* entry = list; entry != nullptr; entry = entry->ifa_next) {
        const std::string name = entry->ifa_name;
        const bool wanted =
            interfaces.empty() || std::find(interfaces.begin(), interfaces.end(), name) != interfaces.end();
        if (!wanted || !can_multicast(entry->ifa_flags) || entry->ifa_addr == nullptr) continue;
        const int family = entry->ifa_addr->sa_family;
        if (family != AF_INET && family != AF_INET6) continue;
        auto link = std::find_if(impl->links.begin(), impl->links.end(),
                                 [&](const Link& one) { return one.name == name; });
        if (link == impl->links.end()) {
            const auto index = if_nametoindex(name.c_str());
            Link fresh{name, {}, {}, {}};
            for (const int one : {AF_INET6, AF_INET})
                if (LinkSocket socket{one, index}; socket.fd() >= 0)
                    fresh.sockets.push_back(std::move(socket));
            link = impl->links.insert(impl->links.end(), std::move(fresh));
        }
        link->networks.push_back({copy_of(entry->ifa_addr), copy_of(entry->ifa_netmask)});
    }
    for (const auto& name : interfaces)
        if (std::none_of(impl->links.begin(), impl->links.end(),
                         [&](const Link& link) { return link.name == name; }))
            return fail(
                Errc::unavailable,
                fmt::format("interface {} cannot be used for multicast DNS", base::printable(name, 60)),
                "it must exist, be up, and have an address", "noInterface");
    return std::unique_ptr<MulticastDns>{new MulticastDns{std::move(impl)}};
}

std::vector<std::string> MulticastDns::interfaces() const
{
    std::vector<std::string> names;
    for (const auto& link : impl_->links)
        names.push_back(link.name);
    return names;
}

Result<void> MulticastDns::browse(const std::vector<std::string>& services)
{
    std::vector<Link*> all;
    for (auto& link : impl_->links)
        all.push_back(&link);
    return impl_->ask(all, services, Type::ptr, true);
}

Result<std::vector<Record>> MulticastDns::lookup(const std::string& interface, const std::string& name,
                                                 Type type)
{
    const auto link = std::find_if(impl_->links.begin(), impl_->links.end(),
                                   [&](const Link& one) { return one.name == interface; });
    if (link == impl_->links.end()) return fail(Errc::internal, "an interface that is not open");
    const auto knows_an_address = [&] {
        return !link->at(name, Type::a).empty() || !link->at(name, Type::aaaa).empty();
    };
    const bool address = type == Type::a || type == Type::aaaa;
    const bool known = type == Type::ptr || !link->at(name, type).empty() || (address && knows_an_address());
    if (!known && impl_->unanswered < kMostUnanswered) {
        ACMETOOL_CHECK(impl_->ask({&*link}, {name}, type, false));
        if (link->at(name, type).empty()) ++impl_->unanswered;
    }
    return link->at(name, type);
}

} // namespace acmetool::dns
