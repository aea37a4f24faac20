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

/// The content of /cacerts: the configured root, and the intermediates of the CA's chains (INT-21 to INT-23).
/// Thread-safe.
class CaSet
{
public:
    /// Reads and checks the root: one certificate, self-signed. Errc::config.
    static Result<crypto::Certificate> read_root(const std::string& path);

    void set_root(crypto::Certificate root);
    /// Replaces the intermediates by those of the store; those without a path to the root are omitted.
    void set_intermediates(const std::vector<Bytes>& ders, base::TimePoint now);
    std::vector<crypto::Certificate> offered() const;

    /// Checks a chain, end entity first, up to the root. `intermediates`: the ones to store. An error is
    /// remembered until a chain is valid again.
    Result<void> check(const std::vector<crypto::Certificate>& chain, base::TimePoint now,
                       std::vector<crypto::Certificate>& intermediates);
    /// The error of the last chain; empty: none.
    std::string problem() const;

private:
    mutable std::mutex mutex_;
    crypto::AnchorStore root_;
    std::vector<crypto::Certificate> intermediates_;
    std::set<Bytes> good_issuers_; ///< digests of intermediates that lead to the root
    std::string problem_;
};

} // namespace acmetool::ra
