#pragma once

#include <cstdint>

#include "base/bytes.h"

/// Composition and decomposition of octets; numbers are in network order.
namespace acmetool::base
{

inline void append(Bytes& to, ByteView more)
{
    to.insert(to.end(), more.begin(), more.end());
}

inline void append16(Bytes& to, std::uint16_t number)
{
    to.push_back(static_cast<std::uint8_t>(number >> 8U));
    to.push_back(static_cast<std::uint8_t>(number));
}

inline void append32(Bytes& to, std::uint32_t number)
{
    append16(to, static_cast<std::uint16_t>(number >> 16U));
    append16(to, static_cast<std::uint16_t>(number));
}

/// The number in the first octets, which must be present.
inline std::uint16_t number16(ByteView octets)
{
    return static_cast<std::uint16_t>(octets[0] << 8U | octets[1]);
}

inline std::uint32_t number32(ByteView octets)
{
    return std::uint32_t{number16(octets)} << 16U | number16(octets.subspan(2));
}

} // namespace acmetool::base
