#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "crypto/cert.h"
#include "ra/options.h"

namespace acmetool::ra
{

/// The content of the files in [cacerts].
struct CaFiles {
    std::vector<crypto::Certificate> roots;
    std::vector<crypto::Certificate> anchors;
    std::vector<crypto::Certificate> intermediates;
    std::vector<crypto::Certificate> key_updates;
};

/// Reads the files. Roots and anchors are self-signed, intermediates are CA certificates that are not, and a
/// key update certificate leads from one of the roots and anchors to another. Nothing is said of their
/// validity now, so that a file that expires stops nobody. Errors: config, reasons "rootNotSelfSigned",
/// "notIntermediate", "notKeyUpdate".
ACMETOOL_EXPORT Result<CaFiles> read_ca_files(const CaCertsOptions& options);

/// What a TLS server with `chain`, end entity first, sends besides: the intermediates that `chain` lacks, and
/// the key update certificate of its root, so that a client that knows only the other root follows.
ACMETOOL_EXPORT std::vector<crypto::Certificate>
certificates_above(const std::vector<crypto::Certificate>& chain, const CaFiles& files);

/// The trust anchor of a TLS server's `chain` if that itself contains it: self-signed, with a valid path from
/// the end entity. Else none.
ACMETOOL_EXPORT std::vector<crypto::Certificate> anchor_in(const std::vector<crypto::Certificate>& chain);

} // namespace acmetool::ra
