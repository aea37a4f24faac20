#pragma once

#include <list>
#include <mutex>
#include <optional>

#include "base/bytes.h"
#include "crypto/cert.h"

namespace acmetool::crypto
{

/// The certificates of issuers that chains had lately. A CA sends the same few with each certificate that it
/// issues, and OpenSSL takes as long to read one as for a signature. They are found by all their octets, so
/// that nothing depends on who sent them first. Safe to use from several threads.
class CertificateMemory
{
public:
    /// The process's own.
    static CertificateMemory& instance();

    /// The certificate with just these octets.
    std::optional<Certificate> find(ByteView der);
    /// `certificate` was read from `der`. The one that was not asked for the longest is forgotten.
    void add(ByteView der, const Certificate& certificate);

private:
    static constexpr std::size_t kMost = 16;
    static constexpr std::size_t kMostOctets = 8192; ///< of one certificate; a longer one is not kept
    struct Known {
        Bytes der;
        Certificate certificate;
    };
    std::mutex mutex_;
    std::list<Known> known_; ///< the last one that was asked for first
};

} // namespace acmetool::crypto
