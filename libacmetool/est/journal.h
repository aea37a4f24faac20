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

/// The state of a run, so that a killed one can be continued: a file beside the key, mode 0600, synced before
/// each announced action. It contains no key.
struct Journal {
    std::string url;         ///< of the enrolment, or the RADIUS server
    std::string key_file;    ///< recorded before the key is created: a key in this file belongs to the run
    std::string asked;       ///< SHA-256 of the requirements for which the CSR was built, hexadecimal
    std::string wanted;      ///< SHA-256 of the options alone, as far as the certificate depends on them
    std::string csr;         ///< PEM; empty: none was sent yet
    std::string received;    ///< PEM, the server's certificates, ours first; empty: none yet
    std::string certificate; ///< PEM, the chain that must be written to its file; empty: none yet
};

/// The journal in `path`; nothing if it does not exist. Errc::config, reason "journal", if it is malformed.
ACMETOOL_EXPORT Result<std::optional<Journal>> read_journal(const std::string& path);
ACMETOOL_EXPORT Result<void> write_journal(const std::string& path, const Journal& journal);
ACMETOOL_EXPORT bool has_journal(const std::string& path);
/// Waits until no other run works on this journal. The lock is the file PATH.lock beside it, which is never
/// removed. Errors: those of store::FileLock::acquire.
ACMETOOL_EXPORT Result<store::FileLock> lock_journal(const std::string& path, base::Context& context);
/// Removes it at the end of the run.
ACMETOOL_EXPORT void remove_journal(const std::string& path);

/// The key in `file`, which must be the run's key according to the journal; nothing if there is no such file.
/// Errors: cannot_create (reason "fileExists") if the key belongs to another run, config if the file contains
/// no key.
ACMETOOL_EXPORT Result<std::optional<crypto::Key>> key_of_before(const Journal& journal,
                                                                 const std::string& file);
/// Records `file` in the journal at `path`, then creates it with mode 0600. Errors: cannot_create, io.
ACMETOOL_EXPORT Result<void> keep_key(const std::string& path, Journal& journal, const std::string& file,
                                      const crypto::Key& key);
/// The CSR of the previous run, if it was created with this key and for the same requirements: `asked`, as in
/// Journal.
ACMETOOL_EXPORT std::optional<crypto::Csr> csr_of_before(const Journal& journal, const std::string& asked,
                                                         const crypto::Key& key);

} // namespace acmetool::est
