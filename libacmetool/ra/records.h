#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "crypto/csr.h"
#include "enrol/registration_authority.h"
#include "store/database.h"

namespace acmetool::ra
{

/// The device behind an identity, to which names, budgets and blocks are assigned.
struct Device {
    std::string id;     ///< enrol::device_id() or "user:<name>"; in rows of an earlier version former_id()
    std::string serial; ///< of the IDevID, as it is; empty for users
    std::string anchor = {};       ///< enrol::Identity::anchor; empty for users, and if it is not known
    std::string manufacturer = {}; ///< its name in the configuration; empty: none
    std::string former = {};       ///< former_id(); empty for users
    bool only_former = false;      ///< no other device can have had `former`
    std::vector<std::string> others = {}; ///< identifiers by other CAs that vouch for the device
};

/// The identifier of a device in the databases of an earlier version, "<serialNumber>@<issuer>": printable
/// and cut off, so that several devices can have had the same.
std::string former_id(std::string_view serial, std::string_view issuer);
/// The issuer in such an identifier; nothing if it is not one of this serial number, or was cut off.
std::optional<std::string> issuer_in_former_id(std::string_view id, std::string_view serial);

/// The state of an order.
enum class OrderState { intent = 0, placed = 1, issued = 2, failed = 3 };
std::string_view name_of(OrderState state);

/// A row of the pending table. Its id is derived from CSR and identity, so that there is only one order for
/// both.
struct OrderRow {
    std::string id;
    OrderState state = OrderState::intent;
    Device device;
    std::string label;
    std::string domain;
    std::string profile;
    bool renewal = false;
    std::vector<crypto::Identifier> identifiers;
    Bytes csr; ///< DER of what was received; empty once issued
    std::string url;
    bool unsure = true; ///< an order with unknown URL may exist
    std::string request_id;
    base::TimePoint created; ///< of a failed one: when it failed
    base::TimePoint until;   ///< issued: notAfter; failed: the failure is reported until then
    std::string certificate; ///< issued: its digest, hexadecimal
    enrol::Refused failure;  ///< failed
};

/// A certificate issued through this RA.
struct CertificateRow {
    std::string digest; ///< SHA-256 over all of it, hexadecimal
    std::string serial; ///< hexadecimal
    Device device;
    std::vector<crypto::Identifier> identifiers;
    std::string csr_digest; ///< SHA-256 over the complete CSR, hexadecimal
    std::string key_digest; ///< crypto::Key::spki_sha256(), hexadecimal
    base::TimePoint not_before;
    base::TimePoint not_after;
    Bytes der;
    Bytes subject = {}; ///< that the CSR requested, a Name in DER; empty: the certificate has it
};

/// The state of the registration authority; the only file with its SQL. A view of the database that costs
/// nothing to create.
///
/// Each function is one short step on unique keys. Changes become durable together, when the transaction
/// commits. Used by one thread at a time. All errors are io.
class Records
{
public:
    explicit Records(store::Database& database) : database_(&database) {}
    /// Opens the store of a registration authority; creates it if it is absent.
    static Result<std::unique_ptr<store::Database>> open(const std::string& store_file);

    Result<std::optional<OrderRow>> order(std::string_view id);
    Result<void> put(const OrderRow& row);
    Result<void> set_url(std::string_view id, std::string_view url);
    Result<bool> holds_url(std::string_view url);
    Result<Bytes> csr(std::string_view id);
    /// Orders neither issued nor failed, oldest first.
    Result<std::vector<OrderRow>> unfinished();
    Result<std::map<OrderState, std::uint64_t>> count_orders();
    Result<std::optional<base::TimePoint>> oldest_unfinished();

    Result<void> put(const CertificateRow& row);
    Result<std::optional<CertificateRow>> certificate(std::string_view digest);
    /// The one that expires last.
    Result<std::optional<CertificateRow>> latest_certificate();
    /// The newest certificate issued to the device for this CSR; `former` is another identifier of the
    /// device, or empty.
    Result<std::optional<CertificateRow>> certificate_for(std::string_view csr_digest,
                                                          std::string_view device, std::string_view former);

    Result<void> revoke(std::string_view serial, base::TimePoint at);
    Result<bool> is_revoked(std::string_view serial);
    /// The device that the certificate with this serial was issued to.
    Result<std::optional<std::string>> device_of(std::string_view serial);
    /// True if a certificate for this key was revoked.
    Result<bool> is_key_revoked(std::string_view key_digest);
    /// True if there is an order or a certificate of this identifier or this serial number.
    Result<bool> has_device(std::string_view device, std::string_view serial);
    Result<void> block(std::string_view device, base::TimePoint at);
    Result<void> unblock(std::string_view device);
    /// By any of its identifiers, "SERIAL@MANUFACTURER", or only its serial number. If the device shows no
    /// IDevID, a former identifier of its serial number is enough; if its anchor is not known, any
    /// identifier.
    Result<bool> is_blocked(const Device& device);

    /// Binds `name` to `device` if it is not bound yet. Returns the device to which it is bound. `domain`
    /// groups the names of one device.
    Result<std::string> bind_name(std::string_view name, std::string_view device, std::string_view domain);
    /// The device to which the name is bound.
    Result<std::optional<std::string>> owner_of_name(std::string_view name);
    Result<std::optional<std::string>> name_of_device(std::string_view device, std::string_view domain);
    /// From now on `name` is the device's.
    Result<void> give_name(std::string_view name, std::string_view device);
    /// `former` is another identifier of the device `device`: its names are the device's, and device_now()
    /// finds the device by it.
    Result<void> adopt(std::string_view former, std::string_view device);
    /// The device that adopted this identifier.
    Result<std::optional<std::string>> device_now(std::string_view former);

    /// Keeps an intermediate of the CA until `until`, or longer if it is already kept longer.
    Result<void> keep_intermediate(ByteView der, std::string_view digest, base::TimePoint until);
    Result<std::vector<Bytes>> intermediates();

    struct Spent {
        base::TimePoint at;
        std::string device;
        bool renewal = false;
    };
    Result<void> spend(const Spent& spent);
    /// Oldest first.
    Result<std::vector<Spent>> spent();

    /// Removes what is useless at `now`, certificates that expired before `expired_before`, and orders
    /// counted before `spent_before`.
    Result<void> purge(base::TimePoint now, base::TimePoint expired_before, base::TimePoint spent_before);

private:
    store::Database* database_;
};

} // namespace acmetool::ra
