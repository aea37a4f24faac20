#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/context.h"
#include "base/result.h"
#include "base/time.h"
#include "store/database.h"
#include "store/file_lock.h"
#include "store/options.h"

/// Revoked certificates and blocked devices (SEC-04). Written into the store, where a running registration
/// authority sees them with its next request. Requires only write access to the store.
namespace acmetool::ra
{

/// The lock of a running registration authority; its note identifies the file of its store. Waits for another
/// one, which it names. If the folder cannot be written to, the hint names the one of the service
/// (systemd.exec(5)), if it has one.
Result<store::FileLock> lock_store(const std::string& store_file, base::Context& context);

/// Call this before opening a store while a registration authority may run: SQLite would otherwise apply that
/// one's write-ahead log to the file that is there now. Errors: unavailable, reason "otherStore".
Result<void> check_shared(const std::string& store_file);

/// Opens a store that is there already: a mistyped name must not look like success. Errors: config (reason
/// "noStore": there is none), unavailable (reason "otherStore", as check_shared()), io.
Result<std::unique_ptr<store::Database>> open_existing(const store::Options& store);

/// A serial number as certificates' own text forms have it: hexadecimal in either case, with or without
/// colons or "0x". Returns it in the form of crypto::Certificate::serial(). bad_input, reason "badSerial".
Result<std::string> parse_serial(const std::string& text);

/// A revoked certificate.
struct RevokedCertificate {
    std::string serial;
    std::string device; ///< its device; empty if the store has no certificate with this serial
};

/// Revokes all of these or none: they are neither identities nor cache entries any longer, and their keys are
/// not certified again. They are not revoked at the CA. Errors: bad_input, config (reason "noStore": there is
/// no such store), unavailable (reason "otherStore": a running registration authority has another file open
/// and would not see it), io.
ACMETOOL_EXPORT Result<std::vector<RevokedCertificate>>
revoke_in(const store::Options& store, const std::vector<std::string>& serials, base::TimePoint now);

enum class Blocking { block, unblock };
/// Blocks or unblocks all of these devices or none: identifiers as in the events, or only serial numbers.
/// Returns those that are blocked now, or that were until now. Errors: as above.
ACMETOOL_EXPORT Result<std::vector<std::string>> block_in(const store::Options& store,
                                                          const std::vector<std::string>& devices,
                                                          Blocking what, base::TimePoint now);

} // namespace acmetool::ra
