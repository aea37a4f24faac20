#pragma once

#include <mutex>
#include <set>
#include <string>

#include "crypto/cert.h"

namespace acmetool::crypto
{

/// Which certificate verified with which issuer's key lately. The same few issuers sign each other for years,
/// and a new certificate is looked at by several layers; a signature takes twenty times as long as the two
/// digests. Only what is true is remembered, so that nobody's certificate changes what is said of another.
/// Safe to use from several threads.
class IssuerMemory
{
public:
    /// The process's own.
    static IssuerMemory& instance();

    /// What the two are called here: the digests of both, whole.
    static std::string name_of(const Certificate& certificate, const Certificate& issuer);
    bool knows(const std::string& pair);
    void add(std::string pair);

private:
    static constexpr std::size_t kMost = 512; ///< of one half
    std::mutex mutex_;
    std::set<std::string> recent_;
    std::set<std::string> earlier_; ///< forgotten when the recent half is full
};

} // namespace acmetool::crypto
