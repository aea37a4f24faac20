#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/json.h"
#include "crypto/crl.h"
#include "enrol/events.h"
#include "relay/config.h"

namespace acmetool::relay
{

/// A group of certificates whose revocation is checked.
struct CrlGroup {
    std::string subject; ///< "clients.idevid", "manufacturer NAME"
    crypto::CrlOptions crl;
};
/// Those of the configuration; each source is only in the first of its groups.
std::vector<CrlGroup> crl_groups(const Config& config);

/// The file with the last CRLs of `url`, for a start without network: beside a database that is a file, or
/// else in Config::crl_folder.
ACMETOOL_EXPORT std::string crl_copy(const Config& config, const std::string& url);

/// One GET of a CRL, at most 16 MiB; plain HTTP is usual, because CRLs are signed. Redirects are not
/// followed. Errors: unavailable, protocol, bad_input.
struct FetchedCrl {
    std::vector<crypto::Crl> crls; ///< empty: not modified
    std::string last_modified;     ///< Last-Modified of the reply; may be empty
};
ACMETOOL_EXPORT Result<FetchedCrl> fetch_crl(const std::string& url, const std::string& if_modified_since,
                                             base::Context& context);

/// Fetches the CRLs of URLs on one thread, and tells when one becomes stale.
///
/// Each is fetched again when half of its remaining time has passed, at most an hour later; after a failure
/// after one minute, then less often. A CRL that a configured CA with its issuer's name did not sign, or that
/// is older than the one before, is dropped.
class CrlKeeper
{
public:
    explicit CrlKeeper(enrol::EventSink& events); ///< `events` is not owned
    ~CrlKeeper();                                 ///< ends a request under way
    CrlKeeper(const CrlKeeper&) = delete;
    CrlKeeper& operator=(const CrlKeeper&) = delete;

    std::shared_ptr<const crypto::FetchedCrls> fetched() const;
    /// Uses the copies of earlier runs at once, then fetches all.
    void use(const Config& config);
    /// A sentence for each source without a current CRL.
    std::vector<std::string> problems() const;
    /// Each source, its CRLs and what is wrong.
    base::Json status() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace acmetool::relay
