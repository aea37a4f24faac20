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

/// The PKCS#10 request of teap-enroll: given, or created as the server requests with a key that is kept until
/// its certificate arrives.
class TeapRequest
{
public:
    /// Reads --csr, or the state of an unfinished run; `own` is the device's certificate chain. Only the
    /// journal's lock is written yet. `options` is not owned. Errors: cannot_create (reason "fileExists" if
    /// --key-out belongs to another run), bad_input, config, usage.
    static Result<TeapRequest> prepare(const TeapOptions& options, std::vector<crypto::Certificate> own,
                                       Io& io);

    /// For one of many conversations: the key is not stored.
    static Result<TeapRequest> passing(const TeapOptions& options, std::vector<crypto::Certificate> own);

    /// False: this peer declines to enrol.
    bool able() const { return given_ || key_; }
    /// The request for one tunnel. Journal and key are on disk before this returns, so that no key that the
    /// server sees is lost. Without `binding`, the request of the unfinished run is reused if its content is
    /// the same.
    Result<crypto::Csr> make(const std::optional<Bytes>& attributes,
                             const std::optional<crypto::ChannelBinding>& binding);
    /// SHA-256 of the last request, lower-case hexadecimal; empty if there was none.
    std::string sent_sha256() const { return sent_sha256_; }
    /// Call this after the certificate was written.
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
    std::string journal_file_; ///< empty: nothing is stored
    est::Journal journal_;
    store::FileLock lock_;
};

} // namespace acmetool::cli
