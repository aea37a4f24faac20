#pragma once

#include <optional>
#include <string>

#include "base/context.h"
#include "base/result.h"
#include "crypto/csr.h"
#include "crypto/key.h"
#include "store/file_lock.h"

namespace acmetool::est
{

/// What a run has done so far, so that one that was killed is continued: a file beside the key, mode 0600,
/// synced before what it announces is done. It holds no key.
struct Journal {
    std::string url;         ///< of the enrolment, or the RADIUS server it goes by
    std::string key_file;    ///< announced before the key is made: a key there is the run's own
    std::string asked;       ///< SHA-256 over what the CSR was built to, hexadecimal
    std::string csr;         ///< PEM; empty: none was sent yet
    std::string certificate; ///< PEM, the chain that is to be put into its place; empty: none came yet
};

/// The journal in `path`; nothing where there is none. Errc::config, reason "journal", where it cannot be
/// understood.
ACMETOOL_EXPORT Result<std::optional<Journal>> read_journal(const std::string& path);
ACMETOOL_EXPORT Result<void> write_journal(const std::string& path, const Journal& journal);
ACMETOOL_EXPORT bool has_journal(const std::string& path);
/// One run at a time: waits until no other one works on this journal. The lock is a file beside it,
/// PATH.lock, and stays there. Errors: those of store::FileLock::acquire.
ACMETOOL_EXPORT Result<store::FileLock> lock_journal(const std::string& path, base::Context& context);
/// Removes it: the run is over.
ACMETOOL_EXPORT void remove_journal(const std::string& path);

/// The key in `file`, which the journal knows as the run's own; nothing where there is no such file. Errors:
/// cannot_create (reason "fileExists") where it is somebody else's, config where it holds no key.
ACMETOOL_EXPORT Result<std::optional<crypto::Key>> key_of_before(const Journal& journal,
                                                                 const std::string& file);
/// Announces `file` in the journal at `path`, then makes it, mode 0600. Errors: cannot_create, io.
ACMETOOL_EXPORT Result<void> keep_key(const std::string& path, Journal& journal, const std::string& file,
                                      const crypto::Key& key);
/// The CSR of a run before, if it was made with this key and to the same end: `asked`, as in Journal.
ACMETOOL_EXPORT std::optional<crypto::Csr> csr_of_before(const Journal& journal, const std::string& asked,
                                                         const crypto::Key& key);

} // namespace acmetool::est
