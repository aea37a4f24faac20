#include <doctest/doctest.h>

#include <algorithm>
#include <optional>

#include "http/proxy_header.h"
#include "net/address_range.h"

using namespace acmetool;

namespace
{

/// Reads as a server does: never more than is asked for. What is left of `stream` comes back.
struct Reading {
    Result<http::ProxyHeader> header = http::ProxyHeader{};
    std::size_t taken = 0;
};

Reading read(std::string_view stream)
{
    Reading reading;
    for (;;) {
        reading.header = http::parse_proxy_header(as_bytes(stream.substr(0, reading.taken)));
        if (!reading.header || reading.header->more == 0) return reading;
        if (reading.taken + reading.header->more > stream.size()) return reading; // it ends too early
        reading.taken += reading.header->more;
    }
}

std::string second(std::uint8_t version_and_command, std::uint8_t family, const std::string& payload)
{
    std::string header{"\r\n\r\n\0\r\nQUIT\n", 12};
    header += static_cast<char>(version_and_command);
    header += static_cast<char>(family);
    header += static_cast<char>(payload.size() >> 8U);
    header += static_cast<char>(payload.size() & 0xffU);
    return header + payload;
}

const std::string kFour{"\xc0\x00\x02\x07\x7f\x00\x00\x01\x12\x34\x01\xbb",
                        12}; // 192.0.2.7:4660 to 127.0.0.1:443

std::string six(bool mapped)
{
    std::string client = mapped ? std::string(10, '\0') + "\xff\xff\xc0" + std::string("\0\x02\x07", 3)
                                : "\x20\x01\x0d\xb8" + std::string(11, '\0') + "\x09";
    return client + std::string(15, '\0') + "\x01" + std::string("\x12\x34\x01\xbb", 4);
}

void names(const std::string& header, const std::string& address, std::uint16_t port)
{
    const auto reading = read(header + "\x16\x03\x01");
    REQUIRE_MESSAGE(reading.header, reading.header.error().message);
    CHECK(reading.header->more == 0);
    CHECK(reading.header->address == address);
    CHECK(reading.header->port == port);
    CHECK(reading.taken == header.size());
}

void refuses(const std::string& stream, const std::string& why)
{
    CAPTURE(stream);
    const auto reading = read(stream);
    REQUIRE_FALSE(reading.header);
    CHECK(reading.header.error().reason.word() == "proxyHeader");
    CHECK(reading.header.error().message.find(why) != std::string::npos);
}

} // namespace

TEST_CASE("PROXY header, version 1: the client's address, and not an octet too many")
{
    names("PROXY TCP4 192.0.2.7 127.0.0.1 4660 443\r\n", "192.0.2.7", 4660);
    names("PROXY TCP4 1.2.3.4 1.2.3.4 0 1\r\n", "1.2.3.4", 0);
    names("PROXY TCP6 2001:DB8:0::9 ::1 65535 443\r\n", "2001:db8::9", 65535);
    names("PROXY TCP6 ::ffff:192.0.2.7 ::1 1 2\r\n", "192.0.2.7", 1);
    names("PROXY UNKNOWN\r\n", "", 0);
    names("PROXY UNKNOWN ffff:f...f:ffff whatever 1\r\n", "", 0);
    names("PROXY UNKNOWN " + std::string(107 - 16, 'x') + "\r\n", "", 0);
}

TEST_CASE("PROXY header, version 1: what is malformed is refused")
{
    refuses("GET / HTTP/1.1\r\nHost: x\r\n\r\n", "it is missing");
    refuses("\x16\x03\x01\x02\x05\x01" + std::string(20, 'x'), "it is missing");
    refuses("proxy TCP4 1.2.3.4 1.2.3.4 1 2\r\n", "it is missing");
    refuses("PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n", "neither TCP4");
    refuses("PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n", "two addresses");
    refuses("PROXY TCP4  1.2.3.4 1.2.3.4 1 2\r\n", "two addresses");
    refuses("PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n", "two addresses");
    refuses("PROXY TCP4 1.2.3.256 1.2.3.4 1 2\r\n", "invalid address");
    refuses("PROXY TCP4 ::1 1.2.3.4 1 2\r\n", "invalid address");
    refuses("PROXY TCP6 1.2.3.4 ::1 1 2\r\n", "invalid address");
    refuses("PROXY TCP4 1.2.3.4 1.2.3.4 65536 2\r\n", "invalid port");
    refuses("PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n", "invalid port");
    refuses("PROXY TCP4 1.2.3.4 1.2.3.4 1 -2\r\n", "invalid port");
    refuses("PROXY TCP4 1.2.3.4 1.2.3.4 1 2\nmore", "CR LF");
    refuses("PROXY UNKNOWN\r \r\n", "CR LF");
    refuses("PROXY \r\nGET / HTTP/1.1\r\n", "CR LF");
    refuses("PROXY UNKNOWN " + std::string(200, 'x'), "is not terminated");
}

TEST_CASE("PROXY header, version 2: addresses, LOCAL, TLVs, and what is refused")
{
    names(second(0x21, 0x11, kFour), "192.0.2.7", 4660);
    names(second(0x21, 0x21, six(false)), "2001:db8::9", 4660);
    names(second(0x21, 0x21, six(true)), "192.0.2.7", 4660);
    names(second(0x21, 0x11, kFour + std::string("\x04\x00\x03pad", 6)), "192.0.2.7", 4660);
    names(second(0x20, 0x00, ""), "", 0);
    names(second(0x20, 0x11, kFour), "", 0);
    names(second(0x21, 0x00, "anything"), "", 0);

    refuses(second(0x11, 0x11, kFour), "version 1");
    refuses(second(0x22, 0x11, kFour), "command 2");
    refuses(second(0x21, 0x12, kFour), "0x12");
    refuses(second(0x21, 0x31, std::string(216, 'x')), "0x31");
    refuses(second(0x21, 0x11, kFour.substr(0, 11)), "too short");
    refuses(second(0x21, 0x21, kFour), "too short");
    refuses(second(0x21, 0x11, kFour + std::string(5000, '\0')), "too long");
    refuses("\r\n\r\nGET / HTTP/1.1\r\n", "it is missing");
}

TEST_CASE("PROXY header: cut off anywhere, it asks for more, and never for more than there is")
{
    for (const auto& header :
         {std::string{"PROXY TCP6 2001:db8::9 ::1 65535 443\r\n"}, second(0x21, 0x21, six(false))})
        for (std::size_t size = 0; size < header.size(); ++size) {
            const auto part = http::parse_proxy_header(as_bytes(std::string_view{header}.substr(0, size)));
            REQUIRE(part);
            CHECK(part->more > 0);
            CHECK(size + part->more <= header.size());
        }
}

TEST_CASE("address ranges: addresses, prefixes, IPv4 that comes as IPv6")
{
    const auto in = [](const char* range, const char* address) {
        const auto parsed = net::AddressRange::parse(range);
        REQUIRE(parsed);
        return parsed->contains(address);
    };
    CHECK(in("192.0.2.1", "192.0.2.1"));
    CHECK(in("192.0.2.1", "::ffff:192.0.2.1"));
    CHECK_FALSE(in("192.0.2.1", "192.0.2.2"));
    CHECK(in("10.128.0.0/9", "10.255.1.2"));
    CHECK_FALSE(in("10.128.0.0/9", "10.127.1.2"));
    CHECK_FALSE(in("0.0.0.0/0", "::1"));
    CHECK(in("2001:db8::/33", "2001:db8:7fff::1"));
    CHECK_FALSE(in("2001:db8::/33", "2001:db8:8000::1"));
    CHECK_FALSE(in("::1", "no address"));
    for (const auto* wrong :
         {"", "lb.example", "10.0.0.0/33", "10.0.0.1/8", "10.0.0.0/", "10.0.0.0/x", "::/129"})
        CHECK_FALSE(net::AddressRange::parse(wrong).has_value());
}

TEST_CASE("FLD-E8: an address range with a zone holds the addresses of that link only")
{
    const auto any = *net::AddressRange::parse("fe80::/10");
    CHECK(any.contains("fe80::1"));
    CHECK(any.contains("fe80::1%eth0"));
    const auto one = *net::AddressRange::parse("fe80::1%eth0");
    CHECK(one.contains("fe80::1%eth0"));
    CHECK_FALSE(one.contains("fe80::1%eth1"));
    CHECK_FALSE(one.contains("fe80::1"));
    const auto link = *net::AddressRange::parse("fe80::%eth1/64");
    CHECK(link.contains("fe80::7%eth1"));
    CHECK_FALSE(link.contains("fe80::7%eth0"));
    CHECK(net::canonical_address("FE80:0::1%eth0") == "fe80::1%eth0");
    for (const auto* wrong : {"fe80::1%", "192.0.2.1%eth0", "fe80::1%a b", "fe80::1%\033[1m"})
        CHECK_FALSE(net::canonical_address(wrong));
}
