#include "http/proxy_header.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <vector>

#include <fmt/core.h>

#include "net/address_range.h"

namespace acmetool::http
{
namespace
{

constexpr std::string_view kFirst = "PROXY ";
constexpr std::size_t kShortestLine = 15; ///< "PROXY UNKNOWN" and the end of the line
constexpr std::size_t kLongestLine = 107; ///< with the end of the line (section 2.1)
constexpr std::string_view kSecond{"\r\n\r\n\0\r\nQUIT\n", 12};
constexpr std::size_t kFixedPart = 16; ///< signature, version and command, family, length
constexpr std::uint8_t kVersion = 2;
constexpr std::uint8_t kLocal = 0;
constexpr std::uint8_t kProxy = 1;
constexpr std::uint8_t kUnspecified = 0x00;
constexpr std::uint8_t kTcp4 = 0x11;
constexpr std::uint8_t kTcp6 = 0x21;

tl::unexpected<Error> refused(std::string what)
{
    return fail(Errc::protocol, "PROXY header: " + std::move(what),
                "proxy_protocol must only list load balancers that send the header", "proxyHeader");
}

bool begins_like(std::string_view text, std::string_view whole)
{
    const auto size = std::min(text.size(), whole.size());
    return text.substr(0, size) == whole.substr(0, size);
}

/// Decimal without sign and leading zeros.
std::optional<std::uint16_t> parse_port(std::string_view text)
{
    std::uint16_t port = 0;
    const auto* const end = text.data() + text.size();
    const auto [rest, problem] = std::from_chars(text.data(), end, port);
    if (problem != std::errc{} || rest != end || (text.size() > 1 && text.front() == '0'))
        return std::nullopt;
    return port;
}

/// Section 2.1, without the end of the line.
Result<ProxyHeader> parse_line(std::string_view line)
{
    std::vector<std::string_view> words;
    for (std::size_t at = 0; at <= line.size();) {
        const auto space = std::min(line.find(' ', at), line.size());
        words.push_back(line.substr(at, space - at));
        at = space + 1;
    }
    if (words.size() < 2) return refused("no protocol");
    // "the receiver must ignore anything presented before the CRLF is found"
    if (words[1] == "UNKNOWN") return ProxyHeader{};
    if (words[1] != "TCP4" && words[1] != "TCP6") return refused("neither TCP4, TCP6 nor UNKNOWN");
    if (words.size() != 6) return refused("not two addresses and two ports");
    const bool is_v4 = words[1] == "TCP4";
    const auto client = net::canonical_address(words[2]);
    const auto here = net::canonical_address(words[3]);
    const auto port = parse_port(words[4]);
    const auto wrong_family = [is_v4](std::string_view word) {
        return (word.find(':') == std::string_view::npos) != is_v4;
    };
    if (!client || !here || wrong_family(words[2]) || wrong_family(words[3]))
        return refused("an invalid address");
    if (!port || !parse_port(words[5])) return refused("an invalid port");
    return ProxyHeader{0, *client, *port};
}

Result<ProxyHeader> parse_first(std::string_view text)
{
    if (text.size() < kShortestLine) return ProxyHeader{kShortestLine - text.size(), {}, 0};
    const auto end = text.find('\n');
    if (end == std::string_view::npos) {
        if (text.size() >= kLongestLine) return refused("the line is not terminated");
        return ProxyHeader{text.ends_with('\r') ? std::size_t{1}
                                                : std::min<std::size_t>(2, kLongestLine - text.size()),
                           {},
                           0};
    }
    if (end + 1 != text.size() || text[end - 1] != '\r' || text.find('\r') != end - 1)
        return refused("the line is not terminated with CR LF");
    return parse_line(text.substr(0, end - 1));
}

Result<ProxyHeader> parse_addresses(int family, ByteView addresses)
{
    const std::size_t size = family == AF_INET ? 4 : 16;
    if (addresses.size() < 2 * size + 4) return refused("too short for its addresses");
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (inet_ntop(family, addresses.data(), text.data(), text.size()) == nullptr)
        return refused("an invalid address");
    const auto client = net::canonical_address(text.data());
    if (!client) return refused("an invalid address");
    const auto port = static_cast<std::uint16_t>(addresses[2 * size] << 8U | addresses[2 * size + 1]);
    return ProxyHeader{0, *client, port};
}

/// Section 2.2.
Result<ProxyHeader> parse_second(ByteView octets)
{
    if (octets.size() < kFixedPart) return ProxyHeader{kFixedPart - octets.size(), {}, 0};
    const std::uint8_t version = octets[12] >> 4U;
    const std::uint8_t command = octets[12] & 0x0fU;
    const std::uint8_t family = octets[13];
    if (version != kVersion) return refused(fmt::format("version {}", version));
    if (command != kLocal && command != kProxy) return refused(fmt::format("command {}", command));
    const auto size = kFixedPart + (std::size_t{octets[14]} << 8U | octets[15]);
    if (size > kLongestProxyHeader) return refused("too long");
    if (octets.size() < size) return ProxyHeader{size - octets.size(), {}, 0};
    if (octets.size() > size) return refused("octets after its end");
    // A health check by the proxy; its addresses are meaningless.
    if (command == kLocal || family == kUnspecified) return ProxyHeader{};
    if (family == kTcp4) return parse_addresses(AF_INET, octets.subspan(kFixedPart));
    if (family == kTcp6) return parse_addresses(AF_INET6, octets.subspan(kFixedPart));
    return refused(fmt::format("family and protocol 0x{:02x} instead of TCP over IP", family));
}

} // namespace

Result<ProxyHeader> parse_proxy_header(ByteView octets)
{
    const auto text = as_text(octets);
    if (octets.empty()) return ProxyHeader{kShortestLine, {}, 0};
    if (begins_like(text, kSecond)) return parse_second(octets);
    if (begins_like(text, kFirst)) return parse_first(text);
    return refused("it is missing");
}

} // namespace acmetool::http
