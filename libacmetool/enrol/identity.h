#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "crypto/anchor_store.h"
#include "crypto/cert.h"
#include "enrol/device_label.h"

/// Who a device is, from facts that were verified.
namespace acmetool::enrol
{

/// The identity of a device with a manufacturer's certificate (IDevID). Names, budgets, blocks, vouchers and
/// rules depend on it; never on the name of a CA, which any manufacturer can choose, or on a printable form.
struct ACMETOOL_EXPORT Identity {
    /// SHA-256 of the canonical key of the anchor that verified the path, hexadecimal (crypto::Key::spki()).
    /// An anchor that is renewed with its key stays the same.
    std::string anchor;
    std::string serial;       ///< octets of the serial number, as in the certificate
    std::string key;          ///< SHA-256 of the IDevID's canonical key, hexadecimal
    std::string manufacturer; ///< name of the anchor in the configuration; empty: none
    std::string issuer;       ///< name of the IDevID's issuer (RFC 2253), for records of an earlier version
    /// Keys of the CAs on the path and of the trusted CAs above it, hexadecimal: whoever holds one of them
    /// vouches for the device, too.
    std::vector<std::string> authorities;

    /// The device's identifier, see device_id().
    std::string id() const;
};

/// "SERIAL@ANCHOR", different for different devices: the serial number in escape_serial(), and
/// Identity::anchor. For logs, the database and `est-relay block`.
ACMETOOL_EXPORT std::string device_id(std::string_view serial, std::string_view anchor);

/// A serial number as identifiers and inventories write it: letters, digits and "-._~/+=" stay, other octets
/// become "%" and two hexadecimal digits.
ACMETOOL_EXPORT std::string escape_serial(std::string_view serial);
/// The reverse; nothing if a "%" is not followed by two hexadecimal digits.
ACMETOOL_EXPORT std::optional<std::string> unescape_serial(std::string_view text);

/// The parts of "SERIAL@WHOSE".
struct QualifiedSerial {
    std::string serial; ///< octets
    std::string whose;  ///< Identity::anchor, or the name of a manufacturer
};
/// Splits at the last "@". Nothing without one, if a part is empty, or if SERIAL is not from escape_serial().
ACMETOOL_EXPORT std::optional<QualifiedSerial> parse_qualified_serial(std::string_view text);

/// True for 64 lower-case hexadecimal digits.
ACMETOOL_EXPORT bool is_anchor_digest(std::string_view text);

/// A manufacturer: its CAs, and how its certificates name devices.
struct Manufacturer {
    std::string name; ///< empty: none
    std::vector<crypto::Certificate> anchors;
    SerialFields fields;           ///< empty: serialNumber
    std::chrono::seconds grace{0}; ///< its devices' certificates may have expired so long ago
};

/// The trusted manufacturers. Immutable, thread-safe.
class ACMETOOL_EXPORT Manufacturers
{
public:
    Manufacturers() = default; ///< trusts nobody
    /// `trusted` are anchors; those of `described` only give name and fields to CAs on a path. The first name
    /// of a key counts.
    Manufacturers(const std::vector<Manufacturer>& trusted, const std::vector<Manufacturer>& described);

    bool empty() const { return stores_.empty(); }
    /// The number of different keys among the anchors.
    std::size_t size() const { return uppers_.size(); }
    bool has_name(std::string_view name) const;
    /// The name for an anchor (Identity::anchor); empty: none.
    std::string name_of(std::string_view anchor) const;

    /// Verifies the path of a chain, end entity first, now; `crls` as in crypto::PathPolicy, null: revocation
    /// is not checked. A certificate that expired counts for the grace of its manufacturer; if several CAs on
    /// the path have one, for that of the nearest. Errors: as crypto::verify_path(); bad_input, reason
    /// "noSerialNumber".
    Result<Identity> identify(const std::vector<crypto::Certificate>& chain, base::TimePoint now,
                              std::shared_ptr<const crypto::CrlSet> crls = {}) const;
    /// The path of a chain to a trusted anchor. Errors: as crypto::AnchorStore::verify().
    Result<std::vector<crypto::Certificate>> verify(const std::vector<crypto::Certificate>& chain,
                                                    const crypto::PathPolicy& policy) const;
    /// True if names and signatures lead from the chain to a trusted anchor, even if the path is not valid.
    bool is_above(const std::vector<crypto::Certificate>& chain) const;

    /// The anchor that the name of an issuer must mean, as Identity::anchor: the only one with this name, or
    /// the only one at all. Nothing if several can be meant.
    std::optional<std::string> anchor_of_issuer(std::string_view issuer) const;

private:
    struct Description {
        std::string name;
        SerialFields fields;
        std::chrono::seconds grace{0};
    };
    const Description* describe(const std::string& key) const;

    /// OpenSSL looks for an issuer by its name and tries only one key: CAs of one name are in different
    /// stores.
    std::vector<crypto::AnchorStore> stores_;
    std::map<const X509*, std::string> keys_; ///< of the anchors, whose encoding costs as much as a signature
    std::map<std::string, Description, std::less<>> descriptions_;        ///< by key
    std::map<std::string, std::vector<std::string>, std::less<>> uppers_; ///< trusted CAs above an anchor
    std::multimap<std::string, std::string, std::less<>> subjects_;       ///< keys of the anchors by name
    std::chrono::seconds longest_grace_{0};                               ///< of all manufacturers
};

} // namespace acmetool::enrol
