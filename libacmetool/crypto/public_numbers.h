#pragma once

#include <optional>
#include <string>
#include <variant>

#include "acmetool/export.h"
#include "base/bytes.h"
#include "base/result.h"
#include "crypto/key.h"

namespace acmetool::crypto
{

/// What public keys are made of, numbers with the most significant octet first.
struct EcPoint {
    std::string type; ///< "ec:P-256", "ec:P-384" or "ec:P-521"
    Bytes x;          ///< of the full size of a coordinate, as y
    Bytes y;
};
struct RsaNumbers {
    Bytes modulus;
    Bytes exponent;
};
struct Ed25519Octets {
    Bytes value;
};
using PublicNumbers = std::variant<EcPoint, RsaNumbers, Ed25519Octets>;

/// Nothing for keys of other types.
ACMETOOL_EXPORT std::optional<PublicNumbers> public_numbers(const Key& key);

/// The key with these numbers. Checks that a point is on its curve, and that a modulus has 2048 bits at
/// least; the caller limits the length of what it received. Errc::bad_input.
ACMETOOL_EXPORT Result<Key> make_public_key(const PublicNumbers& numbers);

} // namespace acmetool::crypto
