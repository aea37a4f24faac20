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
#include "ra/inventory.h"
#include "store/database.h"
#include "store/open_database.h"

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
    std::string owner;  ///< the run that drives it (Member::run); empty if the store is one process's
    std::int64_t generation = 0; ///< of the row as it was read; 0: it is not there yet
    bool is_locked = false;      ///< nobody else changes it before this transaction ends
    bool watched = false;        ///< others wait for its end: they are told (Database::notify)
    std::string request_id;
    base::TimePoint created; ///< of a failed one: when it failed
    base::TimePoint until;   ///< issued: notAfter; failed: the failure is reported until then
    std::string certificate; ///< issued: its digest, hexadecimal
    enrol::Refused failure;  ///< failed
};

/// A block, and under which of the device's identifiers.
struct Block {
    std::string device;
    base::TimePoint at;
};

/// What is held against a device and its key.
struct Objections {
    /// Whether the inventory in the store is asked as well.
    enum class With { nothing, inventory };

    std::optional<Block> block;
    bool is_key_revoked = false;
    Listed listed;             ///< what the inventory has of the serial number
    std::size_t inventory = 0; ///< how many devices the inventory has
};

/// Orders counted in a time (ra/budget.h).
struct SpentCounts {
    std::uint64_t all = 0;
    std::uint64_t renewals = 0;
    std::optional<base::TimePoint> oldest;
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

/// A certificate issued here that somebody shows.
struct Shown {
    CertificateRow certificate;
    bool is_revoked = false;
    std::optional<std::string> device_now; ///< see Records::device_now()
};

/// What is known of a request that came before.
struct Earlier {
    std::optional<CertificateRow> certificate; ///< the newest for this CSR
    std::optional<OrderRow> order;
    SpentCounts spent; ///< by the device; counted on a shared database only
};

/// The state of the registration authority, with its SQL, but for what an operator asks (device_records.h).
/// The tables are in record_tables.cpp. A view of the database that costs nothing to create.
///
/// Each function is one short step on unique keys. Changes become durable together, when the transaction
/// commits. Used by one thread at a time. All errors are io.
class Records
{
public:
    explicit Records(store::Database& database) : database_(&database) {}
    /// Opens the store of a registration authority. A file is created if it is absent; the tables of a shared
    /// database are there (prepare()). Errors: also config, reasons "noStore", "storeVersion"; unavailable,
    /// reason "instanceInUse".
    static Result<std::unique_ptr<store::Database>> open(const store::Options& options,
                                                         store::Use use = store::Use::reading);
    /// Creates the tables of a shared database, or brings them up to date. number_orders() completes it.
    static Result<void> prepare(store::Database& database);
    /// Gives a number to orders that have none: those of a version without numbers. Not in a transaction: on
    /// a server it goes on in slices, beside relays that work.
    static Result<void> number_orders(store::Database& database);

    /// All rows into a database without any, in a transaction of `to`. Returns how many there are. Errors:
    /// also config, reason "notEmpty".
    static Result<std::uint64_t> copy(store::Database& from, store::Database& to);

    Result<std::optional<OrderRow>> order(std::string_view id);
    /// The profile of the order that got a certificate; nothing if the order is not kept.
    Result<std::optional<std::string>> profile_of(const CertificateRow& certificate);
    /// The same, to put() it back in this transaction.
    Result<std::optional<OrderRow>> order_to_change(std::string_view id);
    /// Inserts a row, or replaces the one that was read. Errors: also cause store_conflict, if another
    /// process was first.
    Result<void> put(const OrderRow& row);
    /// False if the order is not `owner`'s any more, or another one has this URL.
    Result<bool> set_url(std::string_view id, std::string_view url, std::string_view owner);
    Result<bool> holds_url(std::string_view url);
    Result<Bytes> csr(std::string_view id);
    /// Whoever drives the order tells of its end.
    Result<void> watch(std::string_view id);
    /// Orders neither issued nor failed of this owner, oldest first.
    Result<std::vector<OrderRow>> unfinished(std::string_view owner);
    /// On a shared store: owners of unfinished orders that are not alive, however long ago they ended. Empty:
    /// of orders that copy() brought. Reads one entry of an index for each owner, not all orders.
    Result<std::vector<std::string>> owners_gone();
    /// Gives at most `most` unfinished orders of `former`, oldest first, to `owner`; returns them.
    Result<std::vector<OrderRow>> take_over(std::string_view former, std::string_view owner, unsigned most);
    Result<std::map<OrderState, std::uint64_t>> count_orders();
    Result<std::optional<base::TimePoint>> oldest_unfinished();
    Result<std::uint64_t> count_certificates();

    Result<void> put(const CertificateRow& row);
    Result<std::optional<CertificateRow>> certificate(std::string_view digest);
    /// The one that expires last.
    Result<std::optional<CertificateRow>> latest_certificate();
    /// The certificate of that digest, for whom shows it.
    Result<std::optional<Shown>> shown(std::string_view digest);
    /// What a request of `device` may be answered from, in one question: the newest certificate issued to the
    /// device for this CSR, which may be empty, the order `id`, or else that of `former_order`, and what the
    /// device spent since. `former` is another identifier of the device, or empty.
    Result<Earlier> earlier(std::string_view csr_digest, std::string_view id, std::string_view former_order,
                            std::string_view device, std::string_view former, base::TimePoint since);

    Result<void> revoke(std::string_view serial, base::TimePoint at);
    Result<bool> is_revoked(std::string_view serial);
    /// The device that the certificate with this serial was issued to.
    Result<std::optional<std::string>> device_of(std::string_view serial);
    /// The certificate with this serial; empty if there is none.
    Result<Bytes> issued_with(std::string_view serial);
    /// True if there is an order or a certificate of this identifier or this serial number.
    Result<bool> has_device(std::string_view device, std::string_view serial);
    Result<void> block(std::string_view device, base::TimePoint at);
    /// False if it was not blocked, under this identifier or serial number.
    Result<bool> unblock(std::string_view device);
    /// A block by any of the device's identifiers, "SERIAL@MANUFACTURER", or only its serial number. If the
    /// device shows no IDevID, a former identifier of its serial number is enough; if its anchor is not
    /// known, any identifier. And whether a certificate for this key was revoked; it may be empty. All in one
    /// question, also what the inventory in the store has.
    Result<Objections> objections(const Device& device, std::string_view key_digest,
                                  Objections::With with = Objections::With::nothing);
    Result<std::optional<Block>> block_of(const Device& device);

    /// Binds `name` to `device` if it is not bound yet. Returns the device to which it is bound. `domain`
    /// groups the names of one device. Errors: also cause store_conflict, if the device has another random
    /// name since a moment.
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
    /// What all devices spent since.
    Result<SpentCounts> count_spent(base::TimePoint since);
    /// Nobody spends anything until this transaction ends.
    Result<void> lock_spent();

    /// True once, and for as long as it is asked again before `life` ends, for one run at a time.
    Result<bool> lease(std::string_view what, std::string_view run, std::chrono::seconds life);
    /// That a CA takes no new order for so long, as it told a run. The longest time counts.
    struct Hold {
        std::string ca;
        std::string run;
        std::chrono::seconds left{};
    };
    Result<void> hold(const Hold& hold);
    /// Those that are not over.
    Result<std::vector<Hold>> holds();

    /// Removes what is useless at `now`, certificates that expired before `expired_before`, and orders
    /// counted before `spent_before`: at most 500 of each. False if there is more.
    Result<bool> purge(base::TimePoint now, base::TimePoint expired_before, base::TimePoint spent_before);
    /// For status documents and what must differ between the two kinds of databases.
    bool is_shared() const { return database_->is_shared(); }

private:
    store::Database* database_;
};

} // namespace acmetool::ra
