#pragma once

#include <optional>
#include <string>
#include <vector>

#include "crypto/csr.h"
#include "est/csrattrs.h"

/// From CSR attributes to a CSR: the client's side of RFC 9908 section 3.4.
namespace acmetool::est
{

/// What the client has for what the server left open.
struct Filling {
    std::vector<crypto::Identifier> identifiers; ///< for the SAN; each has to find room there
    std::vector<crypto::Identifier> suggestions; ///< the same, used only where the server leaves room
    std::string common_name;   ///< empty: the first DNS name of the SAN where a CN is asked for
    std::string serial_number; ///< the device's, for the subject; may be empty
};

/// Something that the server wants and that the filling does not have.
struct Unfilled {
    std::string name;   ///< "iPAddress of subjectAltName", "O of the subject", "extension 1.2.3.4"
    std::string option; ///< which option of csr-build would give it, "--ip"; empty: none
};

struct FilledCsr {
    crypto::CsrOptions options; ///< for build_csr; what is in `unfilled` is left out
    std::vector<Unfilled> unfilled;
};

/// What build_csr needs for a CSR as `asked`: given values and criticality as given, the rest from `filling`.
/// An open keyUsage becomes digitalSignature, an open extKeyUsage clientAuth, an open basicConstraints "no
/// CA".
///
/// Errc::bad_input, reason "csrattrsSan", where the filling has a name that the server does not leave room
/// for.
ACMETOOL_EXPORT Result<FilledCsr> fill_csr(const CsrAttrs& asked, const Filling& filling);

/// Checks that a key is of the kind asked for: bad_input, reason "csrattrsKey".
ACMETOOL_EXPORT Result<void> check_key(const CsrAttrs& asked, const crypto::Key& key);

} // namespace acmetool::est
