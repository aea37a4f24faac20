#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "crypto/cert.h"
#include "crypto/csr.h"
#include "crypto/key.h"

namespace acmetool::ca
{

/// A root, an intermediate and a TLS certificate in a folder: root.pem, intermediate.pem, tls-ca.pem,
/// tls.pem, with their keys (0600) beside them. The word LAB stands in every name: this is no CA to rely on.
class ACMETOOL_EXPORT Authority
{
public:
    /// Opens the folder, or makes what it lacks. `names` are the DNS names and addresses of the TLS server.
    /// Errors: cannot_create, io, config.
    static Result<Authority> open(const std::string& folder, const std::vector<std::string>& names,
                                  base::TimePoint now);

    /// Certificate of the request's key for `identifiers`, and the intermediate. Extended key usages:
    /// serverAuth and clientAuth, since devices are clients.
    Result<std::vector<crypto::Certificate>> issue(const crypto::Key& key,
                                                   const std::vector<crypto::Identifier>& identifiers,
                                                   base::TimePoint now, std::chrono::seconds lifetime) const;

    struct Revoked {
        std::string serial; ///< hexadecimal
        base::TimePoint at;
        int reason = 0; ///< RFC 5280 section 5.3.1
    };
    /// The intermediate's CRL, DER.
    Result<Bytes> crl(const std::vector<Revoked>& revoked, base::TimePoint now) const;

    const crypto::Certificate& root() const { return root_; }
    std::string tls_certificate_file() const { return folder_ + "/tls.pem"; }
    std::string tls_key_file() const { return folder_ + "/tls.key"; }

private:
    std::string folder_;
    crypto::Certificate root_;
    crypto::Certificate intermediate_;
    crypto::Key intermediate_key_;
};

} // namespace acmetool::ca
