#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "ra/records.h"
#include "store/database.h"
#include "store/page.h"

namespace acmetool::ra
{

/// How a device stands by its newest order, or without one.
enum class Standing {
    pending = 0,  ///< the order is under way
    failed = 1,   ///< the CA or the relay refused it
    issued = 2,   ///< it has its certificate
    expiring = 3, ///< of which less than a third of the lifetime is left
    refused = 4,  ///< its last request was refused, and came to no order
    unseen = 5,   ///< the inventory has it, and it never came
};
std::string_view name_of(Standing standing);
std::optional<Standing> standing_of(std::string_view name);

/// A device in a list, with what its newest order says.
struct ListedDevice {
    Device device; ///< id and serial
    Standing standing = Standing::pending;
    base::TimePoint since; ///< of the order; of a failed one: when it failed
    base::TimePoint until; ///< as in OrderRow
    std::vector<crypto::Identifier> identifiers;
    std::string url;
    enrol::Refused failure;
    bool renewal = false;
    bool is_revoked = false; ///< its certificate
};

struct DeviceFilter {
    std::vector<Standing> standings; ///< empty: all
    base::TimePoint since{};         ///< newer ones
    std::optional<store::Behind> behind;
    std::uint64_t limit = 100;
};

/// A certificate without its octets.
struct IssuedTo {
    CertificateRow certificate;
    std::optional<base::TimePoint> revoked;
};

/// What an operator asks about devices. Like Records a view of the database; the only other file with SQL of
/// its tables, but for that of events. Some of these functions read through an index, none returns more than
/// its limit. All errors are io.
class DeviceRecords
{
public:
    explicit DeviceRecords(store::Database& database) : database_(&database) {}

    /// Serial numbers of all that have an order or a certificate.
    Result<std::set<std::string>> serials();
    /// The device with this identifier, if it has an order, a certificate or a name.
    Result<std::optional<Device>> with_id(std::string_view id);
    /// Those whose serial number begins so, by identifier; at most `limit`. Nothing for an empty beginning.
    Result<std::vector<Device>> beginning_with(std::string_view serial, unsigned limit);
    /// Those with this serial number, of all manufacturers; at most 20.
    Result<std::vector<Device>> with_serial(std::string_view serial);
    /// The device whose request placed an order.
    Result<std::optional<Device>> of_request(std::string_view request_id);

    /// Names bound to the device; at most 20.
    Result<std::vector<std::string>> names(std::string_view device);
    /// Its orders without CSR, newest first; at most `limit`.
    Result<std::vector<OrderRow>> orders(std::string_view device, unsigned limit);
    /// Its certificates, newest first; at most `limit`.
    Result<std::vector<IssuedTo>> certificates(std::string_view device, unsigned limit);

    /// How many devices have a newest order since then, by standing.
    Result<std::map<Standing, std::uint64_t>> count(base::TimePoint since, base::TimePoint now);
    /// Newest first.
    Result<std::vector<ListedDevice>> list(const DeviceFilter& filter, base::TimePoint now);

    /// How many devices should renew their certificate on each day from `from` on, before `until`, by the
    /// number of the day; -1: before `now`. A device without a certificate that is valid at `now` is none.
    Result<std::map<std::int64_t, std::uint64_t>> renewals(const base::Margin& margin, base::TimePoint from,
                                                           base::TimePoint until, base::TimePoint now);

    /// The blocks, newest first.
    Result<std::vector<Block>> blocks();

    /// Removes the device's orders that failed, with what is known of them at the CA. Returns how many.
    Result<std::uint64_t> forget_orders(std::string_view device);
    /// Ends the time for which failures of the device's orders are reported instead of a new try. What is
    /// known of the order at the CA stays. Returns how many failures were remembered.
    Result<std::uint64_t> forget_failures(std::string_view device, base::TimePoint now);

private:
    Result<std::optional<Device>> one(std::string_view sql, std::string_view parameter);

    store::Database* database_;
};

} // namespace acmetool::ra
