#include "net/address_range.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

#include <fmt/core.h>

#include "base/text.h"

namespace acmetool::net
{
namespace
{

using Address = std::array<std::uint8_t, 16>;
constexpr std::array<std::uint8_t, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr unsigned kMappedBits = 96;

std::optional<Address> to_octets(std::string_view text)
{
    const std::string literal{text};
    if (literal.size() != text.size() || literal.find('\0') != std::string::npos) return std::nullopt;
    Address octets{};
    if (inet_pton(AF_INET6, literal.c_str(), octets.data()) == 1) return octets;
    std::copy(kMapped.begin(), kMapped.end(), octets.begin());
    if (inet_pton(AF_INET, literal.c_str(), octets.data() + kMapped.size()) == 1) return octets;
    return std::nullopt;
}

bool is_mapped(const Address& address)
{
    return std::equal(kMapped.begin(), kMapped.end(), address.begin());
}

bool bit(const Address& address, unsigned at)
{
    return ((address[at / 8] >> (7 - at % 8)) & 1U) != 0;
}

} // namespace

std::optional<std::string> canonical_address(std::string_view text)
{
    const auto octets = to_octets(text);
    if (!octets) return std::nullopt;
    std::array<char, INET6_ADDRSTRLEN> written{};
    const bool is_v4 = is_mapped(*octets);
    if (inet_ntop(is_v4 ? AF_INET : AF_INET6, octets->data() + (is_v4 ? kMapped.size() : 0), written.data(),
                  written.size()) == nullptr)
        return std::nullopt;
    return std::string{written.data()};
}

Result<AddressRange> AddressRange::parse(std::string_view text)
{
    const auto wrong = [text](const char* why) {
        return fail(Errc::usage, fmt::format("\"{}\": {}", base::printable(text, 60), why),
                    "an address, or a prefix as in 10.0.0.0/8", "badAddress");
    };
    const auto slash = text.find('/');
    const auto octets = to_octets(text.substr(0, slash));
    if (!octets) return wrong("not an IP address");
    AddressRange range;
    range.first_ = *octets;
    range.bits_ = 128;
    if (slash == std::string_view::npos) return range;
    const bool is_v4 = text.substr(0, slash).find(':') == std::string_view::npos;
    const auto length = text.substr(slash + 1);
    unsigned bits = 0;
    const auto [rest, problem] = std::from_chars(length.data(), length.data() + length.size(), bits);
    if (problem != std::errc{} || rest != length.data() + length.size() || bits > (is_v4 ? 32U : 128U))
        return wrong("not a length of a prefix");
    range.bits_ = bits + (is_v4 ? kMappedBits : 0);
    for (unsigned at = range.bits_; at < 128; ++at)
        if (bit(range.first_, at)) return wrong("has bits set behind the prefix");
    return range;
}

bool AddressRange::contains(std::string_view address) const
{
    const auto octets = to_octets(address);
    if (!octets) return false;
    for (unsigned at = 0; at < bits_; ++at)
        if (bit(*octets, at) != bit(first_, at)) return false;
    return true;
}

} // namespace acmetool::net
