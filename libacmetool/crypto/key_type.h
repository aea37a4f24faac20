#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

/// What all programs take for a key's type if nobody says which one (see crypto::generate_key()).
namespace acmetool::crypto
{

class Key;

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

/// The types to choose from; `first` precedes them if given.
ACMETOOL_EXPORT std::vector<std::string> key_types(std::string_view first = {});

/// Errc::usage ("badKeyType") if generate_key() makes no keys of this type, so that a wrong option is known
/// before anything is sent.
ACMETOOL_EXPORT Result<void> check_key_type(std::string_view type);

/// For messages: Key::type(), and for keys that have none the name of their algorithm or curve:
/// "ec:secp256k1", "ec:brainpoolP256r1", "rsa-pss:2048", "ed448".
ACMETOOL_EXPORT std::string name_of_key(const Key& key);

} // namespace acmetool::crypto
