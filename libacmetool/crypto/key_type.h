#pragma once

#include <string>
#include <string_view>

/// What all programs take for a key's type if nobody says which one (see crypto::generate_key()).
namespace acmetool::crypto
{

inline constexpr std::string_view kDefaultKeyType = "ec:P-256";
inline constexpr std::string_view kDefaultRsaType = "rsa:3072";
/// RFC 7518 section 3.3, and what public CAs certify.
inline constexpr int kLeastRsaBits = 2048;

/// The type of a new key: `wanted`, with the default for an empty one and for a family without a size or a
/// curve
/// ("ec", "rsa").
inline std::string new_key_type(std::string_view wanted)
{
    if (wanted.empty() || wanted == "ec") return std::string{kDefaultKeyType};
    return std::string{wanted == "rsa" ? kDefaultRsaType : wanted};
}

} // namespace acmetool::crypto
