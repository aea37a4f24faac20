#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "crypto/cert.h"

namespace acmetool::acme
{

/// Selects one of the chains that a CA offers (RFC 8555 section 7.4.2).
struct ChainChoice {
    std::string
        issuer;   ///< common name, or whole name in the order of RFC 2253, of the last certificate's issuer
    Bytes sha256; ///< of a certificate in the chain; if empty, the name is used

    bool given() const { return !issuer.empty() || !sha256.empty(); }
    /// True if `chain`, which must not be empty, matches.
    bool takes(const std::vector<crypto::Certificate>& chain) const;
};

/// A name, or the SHA-256 fingerprint of a certificate: 64 hexadecimal digits, with or without colons.
ACMETOOL_EXPORT ChainChoice parse_chain_choice(std::string_view text);

} // namespace acmetool::acme
