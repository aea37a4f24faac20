#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "registrar/decision.h"
#include "store/database.h"
#include "store/page.h"

namespace acmetool::registrar
{

/// Where a device stands on its way from voucher-request to enrolment; stored by name.
enum class State {
    asking,    ///< the MASA is asked for a voucher
    auditing,  ///< a voucher was received, the MASA is asked for its log
    ready,     ///< voucher and log are good: the device may have its voucher
    forwarded, ///< the device was given its voucher and may enrol
    refused,   ///< no: see `cause` and `reason`
};
std::string_view name_of(State state);
/// True if the MASA is not asked for anything.
bool is_decided(State state);

/// What a device has in the store as its identifier.
struct RecordIds {
    std::string id;     ///< enrol::Identity::id(), "/" and the digest of its key
    std::string former; ///< of rows of an earlier version: SHA-256 of the IDevID, hexadecimal
};

/// A device and its last voucher-request, without octets: what is looked up and listed.
struct Device {
    std::string id;           ///< one of its RecordIds
    std::string serial;       ///< serialNumber of the IDevID
    std::string manufacturer; ///< as configured
    State state = State::asking;
    std::string masa_url;
    base::TimePoint since{};         ///< of the request
    Cause cause = Cause::none;       ///< of a refusal, or why it takes so long
    std::string reason;              ///< for people: of a refusal, or why it takes so long
    std::string voucher_status = {}; ///< what the pledge said; empty: nothing yet
    std::string enroll_status = {};  ///< likewise
    std::string certificate = {};    ///< SHA-256 of what the device enrolled last, hexadecimal
};

/// How many devices have no voucher.
struct OpenCounts {
    std::uint64_t waiting = 0;
    std::uint64_t refused = 0;
};

/// How many devices there are.
struct DeviceCounts {
    std::map<State, std::uint64_t> by_state;
    std::uint64_t enrolled = 0; ///< of those that have their voucher
};

/// All that is known of one voucher-request.
struct Record : Device {
    std::string request_digest; ///< SHA-256 of the pledge's request, hexadecimal
    Bytes registrar_request;    ///< as sent to the MASA
    std::string media_type;     ///< of both requests
    std::string accept;         ///< of the pledge
    std::string nonce;
    Bytes voucher; ///< as received
    std::string voucher_type;
    std::string owner = {};      ///< the run that asks the MASA (store::Member::run); empty: this process
    bool owner_is_alive = false; ///< of a record that was read, on a shared database
};

/// Everything the registrar remembers; the only file with its SQL. A view of the database: it costs nothing
/// to make. Each function but with_serial() and has_serial() uses an index. Used by one thread at a time. All
/// errors are io.
class Records
{
public:
    explicit Records(store::Database& database) : database_(&database) {}
    /// Creates the tables if they are absent, and brings those of an earlier version up to date. Errors: io;
    /// config, reason "storeVersion", if a later version made them. Those of a shared database are there
    /// (prepare()).
    Result<void> create();
    /// The same, in a transaction of the caller's, for a shared database.
    static Result<void> prepare(store::Database& database);
    /// All rows into a database without any, in a transaction of `to`. Both have the tables. Returns how many
    /// there are. Errors: also config, reason "notEmpty".
    static Result<std::uint64_t> copy(store::Database& from, store::Database& to);

    Result<std::optional<Device>> device(const RecordIds& ids);
    /// The device that enrolled this certificate last; `digest` as in Device::certificate.
    Result<std::optional<Device>> device_by_certificate(std::string_view digest);
    /// True if a device with this serial number, of any manufacturer, asked for a voucher.
    Result<bool> has_serial(std::string_view serial);
    /// Those with this serial number, newest request first; at most 20. Reads through the table.
    Result<std::vector<Device>> with_serial(std::string_view serial);
    /// Those whose last request, since then, is refused, or else has not got its voucher yet; newest first.
    Result<std::vector<Device>> without_voucher(bool refused, base::TimePoint since,
                                                const std::optional<store::Behind>& behind,
                                                std::uint64_t limit);
    Result<OpenCounts> count_open(base::TimePoint since);
    /// Serial numbers of all that asked for a voucher.
    Result<std::set<std::string>> serials();
    /// Reads an index, not the table.
    Result<DeviceCounts> count();
    /// The one that waits longest for a MASA that does not answer.
    Result<std::optional<Device>> waits_for_silent_masa();
    /// The one whose voucher-request was refused last.
    Result<std::optional<Device>> last_refused();
    /// The last one that said that its voucher is not good.
    Result<std::optional<Device>> last_not_taken();

    Result<std::optional<Record>> record(std::string_view id);
    /// Those of a manufacturer that are not decided, and whose owner is not alive.
    Result<std::vector<Record>> open_records(std::string_view manufacturer);
    /// Inserts a record, or replaces that of an earlier request of the device, whose digest is `earlier`.
    /// What the pledge said and what it enrolled stay as they are, but are cleared if the request is another
    /// one. False if a third request is there: another process has it.
    Result<bool> put(const Record& record, std::string_view earlier);
    /// Replaces the record of the same request. False if another process has the next request of the device.
    Result<bool> update(const Record& record);
    /// Remembers the nonce of a request of the device, before the MASA is asked with it.
    Result<void> remember_nonce(std::string_view id, std::string_view nonce);

    /// A request that was refused, or whose voucher the device does not take, is to be asked again once the
    /// device repeats it, or a registrar starts; `now` is when. False: the device has no such request.
    Result<bool> reopen(std::string_view id, base::TimePoint now);
    /// Removes such a request. The nonces of the device stay.
    Result<bool> forget(std::string_view id);

    Result<void> set_voucher_status(std::string_view id, std::string_view text);
    Result<void> set_enroll_status(std::string_view id, std::string_view text);
    Result<void> set_certificate(std::string_view id, std::string_view digest);

    /// The octets of the nonces of all requests of a device, of the newest thousand.
    Result<std::set<Bytes>> nonces(std::string_view id);

private:
    Result<std::optional<Device>> one_device(std::string_view sql,
                                             const std::vector<store::Database::Value>& parameters);

    store::Database* database_;
};

/// Records as they are on disk, for any thread.
class Reader
{
public:
    explicit Reader(std::unique_ptr<store::Database> database) : database_(std::move(database)) {}

    /// `read` gets Records and returns a Result. Errors: also io, reason "databaseMoved".
    template <typename Read>
    auto read(Read read) -> decltype(read(std::declval<Records&>()))
    {
        const std::lock_guard lock{mutex_};
        if (auto there = database_->check_place(); !there) return fail(std::move(there).error());
        Records records{*database_};
        return read(records);
    }

private:
    std::mutex mutex_; ///< of the connection
    std::unique_ptr<store::Database> database_;
};

} // namespace acmetool::registrar
