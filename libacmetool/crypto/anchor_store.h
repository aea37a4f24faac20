#pragma once

#include <memory>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "crypto/cert.h"

using X509_STORE = struct x509_store_st;

namespace acmetool::crypto
{

/// Certificates that are trusted as they are, and path validation up to them (RFC 5280 section 6).
///
/// An anchor need not be self-signed: a manufacturer's intermediate may be named alone. No extended key usage
/// is asked for. Usable by several threads at once.
class ACMETOOL_EXPORT AnchorStore
{
public:
    AnchorStore() = default; ///< trusts nobody
    explicit AnchorStore(std::vector<Certificate> anchors);

    bool empty() const { return anchors_.empty(); }
    const std::vector<Certificate>& certificates() const { return anchors_; }

    /// Builds a path from `chain`'s first certificate, the others being material for it. Errc::refused with
    /// OpenSSL's words.
    Result<void> verify(const std::vector<Certificate>& chain, base::TimePoint now) const;

private:
    std::vector<Certificate> anchors_;
    std::shared_ptr<X509_STORE> store_;
};

} // namespace acmetool::crypto
