#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "crypto/cert.h"
#include "crypto/path.h"

using X509_STORE = struct x509_store_st;

namespace acmetool::crypto
{

/// Trust anchors and path validation up to them (RFC 5280 section 6).
///
/// An anchor need not be self-signed: it may be a manufacturer's intermediate. Thread-safe.
class ACMETOOL_EXPORT AnchorStore
{
public:
    AnchorStore() = default; ///< trusts no certificate
    explicit AnchorStore(std::vector<Certificate> anchors);

    bool empty() const { return anchors_.empty(); }
    const std::vector<Certificate>& certificates() const { return anchors_; }

    /// Builds a path from the first certificate of `chain`, using the others.
    ///
    /// Returns it with the end entity first and the anchor last. Errors: as verify_path().
    Result<std::vector<Certificate>> verify(const std::vector<Certificate>& chain,
                                            const PathPolicy& policy) const;
    /// True if names and signatures lead from the first certificate of `chain` to an anchor, even if the path
    /// is not valid: expired, revoked, for another purpose.
    bool is_above(const std::vector<Certificate>& chain) const;

private:
    std::vector<Certificate> anchors_;
    std::string name_; ///< of the anchors, for PathMemory
    std::shared_ptr<X509_STORE> store_;
};

} // namespace acmetool::crypto
