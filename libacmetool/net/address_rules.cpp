#include "net/address_rules.h"

#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

namespace acmetool::net
{
namespace
{

struct Prefix {
    std::uint32_t address;
    unsigned bits;
};

constexpr std::array<Prefix, 15> kSpecial{{{0x00000000, 8},
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

bool is_public_v4(std::uint32_t address)
{
    return std::none_of(kSpecial.begin(), kSpecial.end(), [&](const Prefix& prefix) {
        return (address ^ prefix.address) >> (32 - prefix.bits) == 0;
    });
}

bool is_public_v6(const std::uint8_t* octets)
{
    // IPv4 in disguise is judged as what it leads to: 6to4 (2002::/16), and NAT64 and mapped ones are outside
    // 2000::/3 anyway, where nothing is global unicast.
    if ((octets[0] & 0xe0U) != 0x20U) return false;
    if (octets[0] == 0x20 && octets[1] == 0x02)
        return is_public_v4(static_cast<std::uint32_t>(octets[2]) << 24U |
                            static_cast<std::uint32_t>(octets[3]) << 16U |
                            static_cast<std::uint32_t>(octets[4]) << 8U | octets[5]);
    const bool teredo = octets[0] == 0x20 && octets[1] == 0x01 && octets[2] == 0 && octets[3] == 0;
    return !teredo;
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
    return is_public_v6(v6.sin6_addr.s6_addr);
}

} // namespace acmetool::net
