#pragma once

#include <string>
#include <vector>

#include "crypto/csr.h"
#include "crypto/openssl.h"

namespace acmetool::crypto
{

/// The entries of a subject alternative name (RFC 5280 section 4.2.1.6), by kind.
struct AlternativeNames {
    std::vector<Identifier> identifiers; ///< dns and ip; sorted, without duplicates, names in lower case; a
                                         ///< malformed one made printable
    std::vector<std::string> others;     ///< the rest, described
    bool malformed = false;              ///< a name with a NUL or another octet that is not visible ASCII
};
AlternativeNames read_general_names(const GENERAL_NAMES* names);

/// The SAN with `identifiers`. Null if one cannot be encoded.
GeneralNamesPtr make_general_names(const std::vector<Identifier>& identifiers);

} // namespace acmetool::crypto
