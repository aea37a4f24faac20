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

bool is_zone(std::string_view text)
{
    constexpr std::size_t kLongest = 64;
    return !text.empty() && text.size() <= kLongest && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
               c == '-' || c == '_' || c == '~';
    });
}

struct Literal {
    Address octets{};
    std::string_view zone; ///< empty: none
};

std::optional<Literal> read_literal(std::string_view text)
{
    Literal literal;
    const auto percent = text.find('%');
    const std::string address{text.substr(0, percent)};
    if (address.find('\0') != std::string::npos) return std::nullopt;
    if (percent != std::string_view::npos) literal.zone = text.substr(percent + 1);
    if (percent != std::string_view::npos && !is_zone(literal.zone)) return std::nullopt;
    if (inet_pton(AF_INET6, address.c_str(), literal.octets.data()) == 1) return literal;
    std::copy(kMapped.begin(), kMapped.end(), literal.octets.begin());
    if (literal.zone.empty() &&
        inet_pton(AF_INET, address.c_str(), literal.octets.data() + kMapped.size()) == 1)
        return literal;
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
    const auto literal = read_literal(text);
    if (!literal) return std::nullopt;
    std::array<char, INET6_ADDRSTRLEN> written{};
    const bool is_v4 = is_mapped(literal->octets);
    if (inet_ntop(is_v4 ? AF_INET : AF_INET6, literal->octets.data() + (is_v4 ? kMapped.size() : 0),
                  written.data(), written.size()) == nullptr)
        return std::nullopt;
    return fmt::format("{}{}{}", written.data(), literal->zone.empty() ? "" : "%", literal->zone);
}

Result<AddressRange> AddressRange::parse(std::string_view text)
{
    const auto wrong = [text](const char* why) {
        return fail(Errc::usage, fmt::format("\"{}\": {}", base::printable(text, 60), why),
                    "an address, or a prefix as in 10.0.0.0/8", "badAddress");
    };
    const auto slash = text.find('/');
    const auto literal = read_literal(text.substr(0, slash));
    if (!literal) return wrong("not an IP address");
    AddressRange range;
    range.first_ = literal->octets;
    range.zone_ = literal->zone;
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
    const auto literal = read_literal(address);
    if (!literal || (!zone_.empty() && literal->zone != zone_)) return false;
    for (unsigned at = 0; at < bits_; ++at)
        if (bit(literal->octets, at) != bit(first_, at)) return false;
    return true;
}

} // namespace acmetool::net
