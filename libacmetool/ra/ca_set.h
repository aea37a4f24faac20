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

namespace acmetool::ra
{

/// What /cacerts offers: the configured root, and the intermediates that the CA's chains had (INT-21 to
/// INT-23). Usable by several threads at once.
class CaSet
{
public:
    /// Reads and checks the root: one certificate, self-signed. Errc::config.
    static Result<crypto::Certificate> read_root(const std::string& path);

    void set_root(crypto::Certificate root);
    /// Replaces the intermediates by those of the store; those that do not lead to the root are left out.
    void set_intermediates(const std::vector<Bytes>& ders, base::TimePoint now);
    std::vector<crypto::Certificate> offered() const;

    /// Checks a chain, end entity first, up to the root. `intermediates`: what has to be kept of it. An error
    /// is remembered until a chain is good again.
    Result<void> check(const std::vector<crypto::Certificate>& chain, base::TimePoint now,
                       std::vector<crypto::Certificate>& intermediates);
    /// What the last chain lacked; empty: nothing.
    std::string problem() const;

private:
    mutable std::mutex mutex_;
    crypto::AnchorStore root_;
    std::vector<crypto::Certificate> intermediates_;
    std::set<Bytes> good_issuers_; ///< digests of intermediates that lead to the root
    std::string problem_;
};

} // namespace acmetool::ra
