#pragma once

#include <memory>
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

    /// Builds a path from the first certificate of `chain`, using the others. Errc::refused with OpenSSL's
    /// message.
    Result<void> verify(const std::vector<Certificate>& chain, const PathPolicy& policy) const;

private:
    std::vector<Certificate> anchors_;
    std::shared_ptr<X509_STORE> store_;
};

} // namespace acmetool::crypto
