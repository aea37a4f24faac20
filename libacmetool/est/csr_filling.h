#pragma once

#include <optional>
#include <string>
#include <vector>

#include "crypto/csr.h"
#include "est/csrattrs.h"

/// Builds a CSR from CSR attributes: the client's side of RFC 9908 section 3.4.
namespace acmetool::est
{

/// The client's values for what the server left open.
struct Filling {
    std::vector<crypto::Identifier> identifiers; ///< for the SAN; each must be allowed there
    std::vector<crypto::Identifier> suggestions; ///< the same, used only if the server allows them
    std::string common_name;   ///< empty: the first DNS name of the SAN if a CN is requested
    std::string serial_number; ///< the device's, for the subject; may be empty
};

/// A value that the server requests and the filling lacks.
struct Unfilled {
    std::string name;   ///< "iPAddress of subjectAltName", "O of the subject", "extension 1.2.3.4"
    std::string option; ///< the option of csr-build for it, "--ip"; empty: none
};

struct FilledCsr {
    crypto::CsrOptions options; ///< for build_csr; without the values in `unfilled`
    std::vector<Unfilled> unfilled;
};

/// The options of build_csr for a CSR as in `asked`: with its values and criticality, the rest from
/// `filling`. An open keyUsage becomes digitalSignature, an open extKeyUsage clientAuth, an open
/// basicConstraints "no CA".
///
/// Errc::bad_input, reason "csrattrsSan", if the filling has a name that the server does not allow.
ACMETOOL_EXPORT Result<FilledCsr> fill_csr(const CsrAttrs& asked, const Filling& filling);

/// Checks that a key is of the requested type. Errors: bad_input, reason "csrattrsKey".
ACMETOOL_EXPORT Result<void> check_key(const CsrAttrs& asked, const crypto::Key& key);

} // namespace acmetool::est
