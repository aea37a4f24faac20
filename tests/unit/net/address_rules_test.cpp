#include <netinet/in.h>

#include <doctest/doctest.h>

#include "ca/validation.h"
#include "net/address_rules.h"

using namespace acmetool;

TEST_CASE("SEC-27, SEC-06: one table says which addresses are public, transition mechanisms included")
{
    for (const std::string address : {"93.184.216.34", "192.88.98.1", "2606:2800:220:1::1", "2001:200::1",
                                      "2003::1", "2400::1", "::ffff:93.184.216.34", "64:ff9b::5db8:d822"}) {
        CAPTURE(address);
        CHECK(net::is_public_address(address));
        CHECK_FALSE(ca::is_forbidden_target(address, false));
    }
    for (const std::string address : {"192.88.99.1", // 6to4 relays
                                      "2002:7f00:1::",
                                      "2002:5db8:d822::1", // 6to4, whatever it holds
                                      "2001::1",
                                      "2001:0:a00:1::", // Teredo
                                      "2001:10::1",
                                      "2001:20::1",
                                      "2001:db8::1",
                                      "3fff::1",
                                      "3fff:fff::1",
                                      "64:ff9b::7f00:1",
                                      "64:ff9b::10.0.0.1",
                                      "64:ff9b:1::5db8:d822",
                                      "::ffff:10.0.0.1",
                                      "::ffff:169.254.169.254",
                                      "::5db8:d822",
                                      "::1",
                                      "fec0::1",
                                      "fd00::1",
                                      "198.18.0.1",
                                      "240.0.0.1",
                                      "",
                                      "junk",
                                      "fe80::1%lo"}) {
        CAPTURE(address);
        CHECK_FALSE(net::is_public_address(address));
        CHECK(ca::is_forbidden_target(address, false));
        CHECK(ca::is_forbidden_target(address, true) == (address != "::1"));
    }
    for (const auto* address : {"127.0.0.1", "127.9.9.9", "::ffff:127.0.0.1"})
        CHECK_FALSE(ca::is_forbidden_target(address, true));
    sockaddr_in6 mapped{};
    mapped.sin6_family = AF_INET6;
    mapped.sin6_addr.s6_addr[10] = mapped.sin6_addr.s6_addr[11] = 0xff;
    mapped.sin6_addr.s6_addr[12] = 10;
    CHECK_FALSE(net::is_public_address(reinterpret_cast<const sockaddr&>(mapped)));
    mapped.sin6_addr.s6_addr[12] = 93;
    CHECK(net::is_public_address(reinterpret_cast<const sockaddr&>(mapped)));
}

TEST_CASE("FLD-E16: addresses that can be another host's, and those of one link")
{
    for (const std::string address : {"192.0.2.1", "10.0.0.1", "169.254.1.1", "223.255.255.255", "fe80::1",
                                      "fd00::1", "2001:db8::1", "::ffff:10.0.0.1", "64:ff9b::10.0.0.1"})
        CHECK_MESSAGE(net::can_be_another_host(address), address);
    for (const std::string address :
         {"127.0.0.1", "127.255.0.1", "0.0.0.0", "0.1.2.3", "224.0.0.251", "240.0.0.1", "255.255.255.255",
          "::1", "::", "::127.0.0.1", "ff02::fb", "::ffff:127.0.0.1", "::ffff:0.0.0.0", "64:ff9b::127.0.0.1",
          "", "junk", "fe80::1%lo"})
        CHECK_FALSE_MESSAGE(net::can_be_another_host(address), address);
    for (const std::string address : {"fe80::1", "febf::1"})
        CHECK_MESSAGE(net::is_link_local_v6(address), address);
    for (const std::string address : {"fec0::1", "fd00::1", "169.254.1.1", "fe80", "fe80.example.com"})
        CHECK_FALSE_MESSAGE(net::is_link_local_v6(address), address);
}
