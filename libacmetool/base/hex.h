#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/bytes.h"

namespace acmetool::base
{

/// Hexadecimal of either case, two digits an octet, without separators; nothing if it is anything else.
inline std::optional<Bytes> parse_hex(std::string_view text)
{
    if (text.size() % 2 != 0) return std::nullopt;
    Bytes octets;
    octets.reserve(text.size() / 2);
    for (const char* at = text.data(); at != text.data() + text.size(); at += 2) {
        std::uint8_t octet = 0;
        const auto [end, problem] = std::from_chars(at, at + 2, octet, 16);
        if (problem != std::errc{} || end != at + 2) return std::nullopt;
        octets.push_back(octet);
    }
    return octets;
}

} // namespace acmetool::base
