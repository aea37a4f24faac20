#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "crypto/cert.h"

using X509_CRL = struct X509_crl_st;

/// Certificate revocation lists (RFC 5280 section 5).
namespace acmetool::crypto
{

/// One complete CRL. Copies share the same object.
class ACMETOOL_EXPORT Crl
{
public:
    /// Takes ownership of `crl`, which is not null.
    static Crl adopt(X509_CRL* crl);

    X509_CRL* get() const { return crl_.get(); }

    std::string to_pem() const;
    std::string issuer() const; ///< RFC 2253 order, for people
    base::TimePoint this_update() const;
    base::TimePoint next_update() const;
    std::size_t size() const; ///< number of entries
    bool is_current(base::TimePoint now) const { return this_update() <= now && now < next_update(); }
    bool has_issuer(const Certificate& issuer) const;   ///< the name is the same
    bool is_signed_by(const Certificate& issuer) const; ///< name and signature match

private:
    std::shared_ptr<X509_CRL> crl_;
};

/// Parses a sequence of CRLs in PEM, or a single one in DER; at most 100. `what` names the text in messages.
///
/// bad_input if it contains none, or one that is a delta CRL, has no nextUpdate, or has a signature with MD5
/// or SHA-1.
ACMETOOL_EXPORT Result<std::vector<Crl>> parse_crls(std::string_view text, std::string_view what);

/// CRLs by URL, which one thread fetches while others use them. Thread-safe.
class ACMETOOL_EXPORT FetchedCrls
{
public:
    std::vector<Crl> get(const std::string& url) const; ///< empty: never obtained
    void put(const std::string& url, std::vector<Crl> crls);

private:
    mutable std::mutex mutex_;
    std::map<std::string, std::vector<Crl>> crls_;
};

/// What happens to a certificate if no current CRL of its issuer is known.
enum class StaleCrl { refuse, accept };

/// The configuration of revocation checks for a group of certificates.
struct CrlOptions {
    std::vector<std::string> sources; ///< file names, http and https URLs; empty: nothing is checked
    StaleCrl stale = StaleCrl::refuse;

    bool operator==(const CrlOptions&) const = default;
};

/// True if a source of CRLs is an http or https URL; otherwise it is a file name.
ACMETOOL_EXPORT bool is_crl_url(std::string_view source);

/// The CRLs of a group of certificates: those of the files as they were read, those of the URLs as they are
/// now. Thread-safe.
class ACMETOOL_EXPORT CrlSet
{
public:
    CrlSet(std::vector<Crl> from_files, StaleCrl stale) : from_files_(std::move(from_files)), stale_(stale) {}
    CrlSet(std::vector<Crl> from_files, std::vector<std::string> urls,
           std::shared_ptr<const FetchedCrls> fetched, StaleCrl stale)
        : from_files_(std::move(from_files)), urls_(std::move(urls)), fetched_(std::move(fetched)),
          stale_(stale)
    {
    }

    std::vector<Crl> current() const;
    StaleCrl stale() const { return stale_; }

private:
    std::vector<Crl> from_files_;
    std::vector<std::string> urls_;
    std::shared_ptr<const FetchedCrls> fetched_; ///< may be null: no URL was fetched
    StaleCrl stale_;
};

} // namespace acmetool::crypto
