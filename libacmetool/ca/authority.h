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

/// What a certificate holds besides its key.
struct Issuance {
    std::vector<crypto::Identifier> identifiers;
    base::TimePoint not_before;
    base::TimePoint not_after;
    std::string purposes = "serverAuth,clientAuth"; ///< extended key usages: devices are clients
};

/// A root, an intermediate and a TLS certificate in a folder: root.pem, intermediate.pem, tls-ca.pem,
/// tls.pem, with their keys (0600) beside them; and the intermediate a second time, by another root
/// (root-alternate.pem, intermediate-alternate.pem). The word LAB stands in every name: this is no CA to rely
/// on.
class ACMETOOL_EXPORT Authority
{
public:
    /// Opens the folder, or makes what it lacks. `names` are the DNS names and addresses of the TLS server.
    /// Errors: cannot_create, io, config.
    static Result<Authority> open(const std::string& folder, const std::vector<std::string>& names,
                                  base::TimePoint now);

    /// A certificate of `key`, and the intermediate. The first is for its text: OpenSSL's object has no
    /// public key.
    Result<std::vector<crypto::Certificate>> issue(const crypto::Key& key, const Issuance& issuance) const;

    /// The same for `lifetime` from a minute ago on, read again.
    Result<std::vector<crypto::Certificate>> issue(const crypto::Key& key,
                                                   const std::vector<crypto::Identifier>& identifiers,
                                                   base::TimePoint now, std::chrono::seconds lifetime) const;

    /// The intermediate of the alternate chain, which ends at the alternate root: same key, same name.
    const crypto::Certificate& alternate_intermediate() const { return alternate_intermediate_; }

    struct Revoked {
        std::string serial; ///< hexadecimal
        base::TimePoint at;
        int reason = 0; ///< RFC 5280 section 5.3.1
    };
    /// From thisUpdate to nextUpdate.
    static constexpr std::chrono::hours kCrlLifetime{24};
    /// The intermediate's CRL, DER. Safe to call from several threads, as issue().
    Result<Bytes> crl(const std::vector<Revoked>& revoked, base::TimePoint now) const;

    const crypto::Certificate& root() const { return root_; }
    std::string tls_certificate_file() const { return folder_ + "/tls.pem"; }
    std::string tls_key_file() const { return folder_ + "/tls.key"; }

private:
    std::string folder_;
    crypto::Certificate root_;
    crypto::Certificate intermediate_;
    crypto::Certificate alternate_intermediate_;
    crypto::Key intermediate_key_;
};

} // namespace acmetool::ca
