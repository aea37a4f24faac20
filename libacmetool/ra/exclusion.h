#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"

/// What an operator takes back: certificates and devices that count for nothing any more (SEC-04). Written
/// into the store, where a running registration authority sees it with its next request; who may write the
/// store may do it.
namespace acmetool::ra
{

/// The lock that a running registration authority holds: its note says which file is its store.
std::string lock_file_of(const std::string& store_file);

/// To be asked before a store is opened beside a registration authority that may run: SQLite would take that
/// one's write-ahead log for the log of whatever file is there now. Errors: unavailable, reason "otherStore".
Result<void> check_shared(const std::string& store_file);

/// A serial number as certificates' own text forms have it: hexadecimal, either case, colons or "0x" or not.
/// Gives it as crypto::Certificate::serial() does. bad_input, reason "badSerial".
Result<std::string> parse_serial(const std::string& text);

/// A certificate that counts as revoked now.
struct RevokedCertificate {
    std::string serial;
    std::string device; ///< whose it is; empty where the store has no certificate of this serial
};

/// From now on these are neither identity nor cache entry, nor may their keys be certified again. All or
/// none. They are not revoked at the CA. Errors: bad_input, config (reason "noStore": there is no such file),
/// unavailable (reason "otherStore": a registration authority runs that has another file open, and would not
/// see it), io.
ACMETOOL_EXPORT Result<std::vector<RevokedCertificate>>
revoke_in(const std::string& store_file, const std::vector<std::string>& serials, base::TimePoint now);

enum class Blocking { block, unblock };
/// Refuses devices from now on, or no longer: ids as in the events, or serial numbers alone. All or none.
/// Errors: as above.
ACMETOOL_EXPORT Result<void> block_in(const std::string& store_file, const std::vector<std::string>& devices,
                                      Blocking what, base::TimePoint now);

} // namespace acmetool::ra
