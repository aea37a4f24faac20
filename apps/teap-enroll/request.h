#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/program.h"
#include "crypto/cert.h"
#include "crypto/channel_binding.h"
#include "crypto/csr.h"
#include "est/journal.h"
#include "teap-enroll/options.h"

namespace acmetool::cli
{

/// The PKCS#10 of teap-enroll: given, or made as the server asks with a key that lasts until its certificate
/// is there.
class TeapRequest
{
public:
    /// Reads --csr, or what a run before left; `own` are the certificates that the device shows. Nothing is
    /// written yet but the journal's lock. `options` is not owned. Errors: cannot_create (reason "fileExists"
    /// where --key-out is another run's), bad_input, config, usage.
    static Result<TeapRequest> prepare(const TeapOptions& options, std::vector<crypto::Certificate> own,
                                       Io& io);

    /// For one of many conversations: a key that is kept nowhere.
    static Result<TeapRequest> passing(const TeapOptions& options, std::vector<crypto::Certificate> own);

    /// False: this peer declines to enrol.
    bool able() const { return given_ || key_; }
    /// The request for one tunnel. Journal and key are on disk before it is returned, so that what the server
    /// learns of is never lost; without `binding`, it is the very request of the run before where the same
    /// is wanted.
    Result<crypto::Csr> make(const std::optional<Bytes>& attributes,
                             const std::optional<crypto::ChannelBinding>& binding);
    /// SHA-256 of the request that was made last, lower-case hexadecimal; empty: none was.
    std::string sent_sha256() const { return sent_sha256_; }
    /// The certificate is where it belongs.
    void finish();

private:
    TeapRequest(const TeapOptions& options, std::vector<crypto::Certificate> own)
        : options_(&options), own_(std::move(own))
    {
    }
    Result<crypto::Csr> build(const std::optional<Bytes>& attributes,
                              const std::optional<crypto::ChannelBinding>& binding) const;
    std::string digest_of_wishes(const std::optional<Bytes>& attributes) const;

    const TeapOptions* options_;
    std::vector<crypto::Certificate> own_;
    std::optional<crypto::Csr> given_;
    std::optional<crypto::Key> key_;
    bool key_is_kept_ = false;
    std::string sent_sha256_;
    std::string journal_file_; ///< empty: nothing is kept
    est::Journal journal_;
    store::FileLock lock_;
};

} // namespace acmetool::cli
