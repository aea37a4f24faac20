#include "access/reply_attribute.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include <fmt/core.h>

#include "base/hex.h"
#include "base/octets.h"
#include "base/text.h"

namespace acmetool::access
{
namespace
{

namespace attribute = radius::attribute;

constexpr std::uint32_t kCisco = 9;
constexpr std::uint32_t kAruba = 14823;

struct Known {
    std::string_view name;
    std::uint8_t type; ///< of the vendor, if there is one
    bool number;
    std::uint32_t vendor; ///< 0: none
};

constexpr std::array<Known, 12> kKnown{{
    {"Class", attribute::kClass, false, 0},
    {"Reply-Message", attribute::kReplyMessage, false, 0},
    {"Filter-Id", attribute::kFilterId, false, 0},
    {"Session-Timeout", attribute::kSessionTimeout, true, 0},
    {"Idle-Timeout", attribute::kIdleTimeout, true, 0},
    {"Termination-Action", attribute::kTerminationAction, true, 0},
    {"Framed-MTU", attribute::kFramedMtu, true, 0},
    {"Port-Limit", attribute::kPortLimit, true, 0},
    {"Acct-Interim-Interval", attribute::kAcctInterimInterval, true, 0},
    {"Cisco-AVPair", 1, false, kCisco},
    {"Aruba-User-Role", 1, false, kAruba},
    {"Aruba-User-Vlan", 2, true, kAruba},
}};

/// What the server sets itself, and what an Access-Accept must not contain (RFC 2865 section 5.44).
constexpr std::array<std::uint8_t, 21> kReserved{
    0,
    attribute::kUserName,
    2, // User-Password
    3, // CHAP-Password
    attribute::kNasIpAddress,
    attribute::kNasPort,
    30, // Called-Station-Id
    attribute::kCallingStationId,
    attribute::kNasIdentifier,
    60, // CHAP-Challenge
    attribute::kNasPortType,
    attribute::kNasPortId,
    attribute::kState,
    attribute::kProxyState,
    attribute::kTunnelType,
    attribute::kTunnelMediumType,
    attribute::kTunnelPrivateGroupId,
    attribute::kEapMessage,
    attribute::kMessageAuthenticator,
    attribute::kChargeableUserIdentity,
    attribute::kEapKeyName,
};
constexpr std::uint8_t kFirstAccounting = 40; ///< of the attributes of RFC 2866
constexpr std::uint8_t kLastAccounting = 51;
constexpr std::uint32_t kMicrosoft = 311; ///< its attributes hold the keys

template <class Number>
std::optional<Number> to_number(std::string_view text)
{
    Number number = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (problem != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return number;
}

/// "25" or "26.VENDOR.TYPE".
std::optional<Known> numbered(std::string_view name)
{
    const auto parts = base::split(name, '.');
    const auto type = to_number<std::uint8_t>(parts[0]);
    if (!type) return std::nullopt;
    if (parts.size() == 1 && *type != attribute::kVendorSpecific) return Known{name, *type, false, 0};
    if (parts.size() != 3 || *type != attribute::kVendorSpecific) return std::nullopt;
    const auto vendor = to_number<std::uint32_t>(parts[1]);
    const auto own = to_number<std::uint8_t>(parts[2]);
    if (!vendor || *vendor == 0 || !own) return std::nullopt;
    return Known{name, *own, false, *vendor};
}

std::optional<Known> find_known(std::string_view name)
{
    const auto* const known = std::find_if(kKnown.begin(), kKnown.end(), [&](const Known& one) {
        return base::equals_ignoring_case(one.name, name);
    });
    return known != kKnown.end() ? std::optional{*known} : numbered(name);
}

Bytes octets_of(std::uint32_t number)
{
    Bytes octets;
    base::append32(octets, number);
    return octets;
}

Result<Bytes> value_of(const Known& known, std::string_view text)
{
    if (known.number) {
        const auto number = to_number<std::uint32_t>(text);
        if (!number)
            return fail(Errc::usage,
                        fmt::format("{}: \"{}\" is not a number", known.name, base::printable(text, 60)));
        return octets_of(*number);
    }
    if (text.starts_with("0x")) {
        auto octets = base::parse_hex(text.substr(2));
        if (!octets)
            return fail(Errc::usage,
                        fmt::format("{}: \"{}\" is not hexadecimal", known.name, base::printable(text, 60)));
        return *octets;
    }
    const auto octets = as_bytes(text);
    return Bytes{octets.begin(), octets.end()};
}

} // namespace

Result<radius::Attribute> parse_reply_attribute(std::string_view text)
{
    const auto equals = text.find('=');
    const auto name = base::trim(text.substr(0, equals));
    const auto known = equals == std::string_view::npos ? std::nullopt : find_known(name);
    if (!known) {
        std::string names;
        for (const auto& one : kKnown)
            names += fmt::format("{}, ", one.name);
        return fail(Errc::usage, fmt::format("\"{}\" is not a RADIUS attribute", base::printable(text, 60)),
                    fmt::format("write NAME=VALUE with one of {}or a number: TYPE or 26.VENDOR.TYPE", names));
    }
    if (known->vendor == kMicrosoft ||
        (known->vendor == 0 && known->type >= kFirstAccounting && known->type <= kLastAccounting) ||
        (known->vendor == 0 && std::find(kReserved.begin(), kReserved.end(), known->type) != kReserved.end()))
        return fail(Errc::usage, fmt::format("{} is set by the server itself", base::printable(name, 60)));
    ACMETOOL_TRY(value, value_of(*known, base::trim(text.substr(equals + 1))));
    radius::Attribute made{known->type, std::move(value)};
    if (known->vendor != 0) {
        auto inside = octets_of(known->vendor);
        inside.push_back(known->type);
        inside.push_back(static_cast<std::uint8_t>(made.value.size() + 2));
        base::append(inside, made.value);
        made = {attribute::kVendorSpecific, std::move(inside)};
    }
    if (made.value.empty() || made.value.size() > radius::kLargestValue)
        return fail(Errc::usage,
                    fmt::format("{}: the value must be 1 to {} octets", base::printable(name, 60),
                                known->vendor != 0 ? radius::kLargestValue - 6 : radius::kLargestValue));
    return made;
}

} // namespace acmetool::access
