#include "net/address_rules.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

namespace acmetool::net
{
namespace
{

using V6 = std::array<std::uint8_t, 16>;

struct V4Prefix {
    std::uint32_t address;
    unsigned bits;
};
/// IANA's special-purpose registry, multicast (RFC 5771) and the former relays of 6to4 (RFC 7526).
constexpr std::array<V4Prefix, 15> kSpecialV4{{{0x00000000, 8},
                                               {0x0a000000, 8},
                                               {0x64400000, 10},
                                               {0x7f000000, 8},
                                               {0xa9fe0000, 16},
                                               {0xac100000, 12},
                                               {0xc0000000, 24},
                                               {0xc0000200, 24},
                                               {0xc0586300, 24},
                                               {0xc0a80000, 16},
                                               {0xc6120000, 15},
                                               {0xc6336400, 24},
                                               {0xcb007100, 24},
                                               {0xe0000000, 4},
                                               {0xf0000000, 4}}};

struct V6Prefix {
    V6 address;
    unsigned bits;
};
/// Within 2000::/3, outside of which nothing is global unicast: protocol assignments (Teredo, benchmarking
/// and ORCHID among them), documentation, 6to4, documentation again (RFC 9637).
constexpr std::array<V6Prefix, 4> kSpecialV6{
    {{{0x20, 0x01, 0x00}, 23}, {{0x20, 0x01, 0x0d, 0xb8}, 32}, {{0x20, 0x02}, 16}, {{0x3f, 0xff, 0x00}, 20}}};
/// An IPv4 address follows them: mapped ones (RFC 4291 section 2.5.5.2), which a socket connects by IPv4, and
/// NAT64 (RFC 6052 section 2.1).
constexpr std::array<V6Prefix, 2> kEmbedding{
    {{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 96}, {{0, 0x64, 0xff, 0x9b}, 96}}};

bool has_prefix(const V6& address, const V6Prefix& prefix)
{
    const auto whole = prefix.bits / 8;
    const auto rest = prefix.bits % 8;
    return std::equal(address.begin(), address.begin() + whole, prefix.address.begin()) &&
           (rest == 0 || (address[whole] ^ prefix.address[whole]) >> (8 - rest) == 0);
}

bool is_public_v4(std::uint32_t address)
{
    return std::none_of(kSpecialV4.begin(), kSpecialV4.end(), [&](const V4Prefix& prefix) {
        return (address ^ prefix.address) >> (32 - prefix.bits) == 0;
    });
}

std::uint32_t last_four(const V6& address)
{
    return static_cast<std::uint32_t>(address[12]) << 24U | static_cast<std::uint32_t>(address[13]) << 16U |
           static_cast<std::uint32_t>(address[14]) << 8U | address[15];
}

bool is_public_v6(const V6& address)
{
    for (const auto& prefix : kEmbedding)
        if (has_prefix(address, prefix)) return is_public_v4(last_four(address));
    return (address[0] & 0xe0U) == 0x20U &&
           std::none_of(kSpecialV6.begin(), kSpecialV6.end(),
                        [&](const V6Prefix& prefix) { return has_prefix(address, prefix); });
}

/// "This network", loopback, multicast, reserved and broadcast.
bool can_be_host_v4(std::uint32_t address)
{
    const auto first = address >> 24U;
    return first != 0 && first != 127 && first < 224;
}

bool can_be_host_v6(const V6& address)
{
    constexpr V6Prefix kUnspecifiedAndLoopback{{}, 96}; // and the former IPv4-compatible addresses
    for (const auto& prefix : kEmbedding)
        if (has_prefix(address, prefix)) return can_be_host_v4(last_four(address));
    return address[0] != 0xff && !has_prefix(address, kUnspecifiedAndLoopback);
}

V6 octets_of(const in6_addr& address)
{
    V6 octets{};
    std::memcpy(octets.data(), address.s6_addr, octets.size());
    return octets;
}

} // namespace

bool is_public_address(const sockaddr& address)
{
    if (address.sa_family == AF_INET) {
        sockaddr_in v4{};
        std::memcpy(&v4, &address, sizeof v4);
        return is_public_v4(ntohl(v4.sin_addr.s_addr));
    }
    if (address.sa_family != AF_INET6) return false;
    sockaddr_in6 v6{};
    std::memcpy(&v6, &address, sizeof v6);
    return is_public_v6(octets_of(v6.sin6_addr));
}

namespace
{

/// Judges a literal by the function for its family; what is no literal is false.
bool judge(const std::string& literal, bool (*v4_rule)(std::uint32_t), bool (*v6_rule)(const V6&))
{
    in_addr v4{};
    if (inet_pton(AF_INET, literal.c_str(), &v4) == 1) return v4_rule(ntohl(v4.s_addr));
    in6_addr v6{};
    return inet_pton(AF_INET6, literal.c_str(), &v6) == 1 && v6_rule(octets_of(v6));
}

} // namespace

bool is_public_address(const std::string& literal)
{
    return judge(literal, is_public_v4, is_public_v6);
}

bool is_link_local_v6(const std::string& literal)
{
    constexpr V6Prefix kLinkLocal{{0xfe, 0x80}, 10};
    in6_addr v6{};
    return inet_pton(AF_INET6, literal.c_str(), &v6) == 1 && has_prefix(octets_of(v6), kLinkLocal);
}

bool can_be_another_host(const std::string& literal)
{
    return judge(literal, can_be_host_v4, can_be_host_v6);
}

} // namespace acmetool::net
