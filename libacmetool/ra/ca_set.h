#pragma once

#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "crypto/anchor_store.h"
#include "crypto/cert.h"
#include "ra/ca_files.h"

namespace acmetool::ra
{

/// The content of /cacerts: the configured certificates, and the intermediates of the CA's chains (INT-21 to
/// INT-23). Thread-safe.
class CaSet
{
public:
    void set_files(CaFiles files, base::TimePoint now);
    /// Replaces the intermediates of the CA's chains by those of the store.
    void set_intermediates(const std::vector<Bytes>& ders, base::TimePoint now);
    /// Roots, anchors, intermediates, key update certificates. Intermediates without a path to a root are
    /// left out.
    std::vector<crypto::Certificate> offered() const;
    /// How many intermediates are in offered().
    std::size_t intermediates() const;
    /// True if a root issued it, or an intermediate in offered().
    bool has_issuer_of(const crypto::Certificate& certificate) const;

    /// Checks a chain, end entity first, up to a root. `intermediates`: the ones to store, also if the
    /// root is not configured yet. An error is remembered until a chain is valid again.
    Result<void> check(const std::vector<crypto::Certificate>& chain, base::TimePoint now,
                       std::vector<crypto::Certificate>& intermediates);
    /// A valid path from the first certificate of `chain` to a root. Errors: as crypto::verify_path().
    Result<std::vector<crypto::Certificate>> path_of(std::vector<crypto::Certificate> chain,
                                                     base::TimePoint now) const;
    /// The error of the last chain; empty: none.
    std::string problem() const;

private:
    void refresh(base::TimePoint now);
    std::vector<crypto::Certificate> helpers() const;

    mutable std::mutex mutex_;
    CaFiles files_;
    crypto::AnchorStore roots_;
    std::vector<crypto::Certificate> of_chains_;     ///< all of the store
    std::vector<crypto::Certificate> intermediates_; ///< with a path to a root
    std::set<Bytes> good_issuers_;                   ///< digests of intermediates that lead to a root
    std::vector<crypto::Certificate> offered_;
    std::string problem_;
};

} // namespace acmetool::ra
