#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "base/time.h"
#include "ra/device_records.h"
#include "ra/event_records.h"
#include "registrar/records.h"
#include "relay/config.h"

/// Why a device has no certificate, or that it has one: est-relay explain, teap-relay explain.
namespace acmetool::relay
{

/// What the inventory says of a device.
enum class Listing {
    listed,
    other_manufacturer, ///< it has the serial number only with another manufacturer
    absent,
    not_needed, ///< any device may enrol, or this is a user
    unreadable, ///< the file cannot be read by whoever asks
};

struct DeviceReport {
    ra::Device device; ///< without id: the relay has never known it
    Listing listing = Listing::absent;
    std::string inventory; ///< its file; empty: none
    bool inventory_in_store = false;
    std::optional<ra::Block> block;
    std::vector<std::string> names;
    std::vector<ra::OrderRow> orders; ///< newest first; no CSR
    std::vector<ra::IssuedTo> certificates;
    std::optional<registrar::Device> voucher; ///< its last voucher-request
    std::vector<ra::Event> events;            ///< the newest ones, newest first
    std::string program;                      ///< that the sentences name
    std::vector<std::string> next;            ///< sentences: what happens next, or what to do
};

/// Finds a device in the store by its identifier, serial number, SERIAL@MANUFACTURER or name, by the serial
/// number of a certificate, by the MAC address that a NAS saw, or by the request id of an order or an event;
/// or in the inventory by its serial number. One that was only refused has an identifier if its manufacturer
/// is known. Errors: bad_input, reasons "unknownDevice", "ambiguousDevice".
ACMETOOL_EXPORT Result<ra::Device> find_device(const Config& config, store::Database& database,
                                               const std::string& text);

/// `program` is the one that the sentences name. Errors: also those of open_store().
ACMETOOL_EXPORT Result<DeviceReport> report_device(const Config& config, const std::string& text,
                                                   const std::string& program, base::TimePoint now);

/// Ends the time for which failures of its orders are remembered, and opens its voucher-request again if it
/// was refused or its voucher is not taken. Returns how many there were, with the device. Errors: as
/// report_device().
struct Retried {
    ra::Device device;
    std::uint64_t failures = 0;
    std::uint64_t under_way = 0; ///< of its newest orders; they are not touched
    bool has_voucher_request = false;
};
ACMETOOL_EXPORT Result<Retried> retry_device(const Config& config, const std::string& text,
                                             base::TimePoint now);

/// Removes its failed orders: its next request places a new one, whatever the CA has. So with its
/// voucher-request if it was refused or its voucher is not taken. Errors: as above.
struct Forgotten {
    ra::Device device;
    std::uint64_t orders = 0;
    bool has_voucher_request = false;
};
ACMETOOL_EXPORT Result<Forgotten> forget_device(const Config& config, const std::string& text);

/// The sentences of DeviceReport::next, from its other members.
ACMETOOL_EXPORT std::vector<std::string> next_of(const DeviceReport& report, const std::string& asked,
                                                 const std::string& program, base::TimePoint now);

/// What the inventory says of it, in words.
std::string listing_text(const DeviceReport& report);
/// The members of the document `device`.
base::Json to_json(const DeviceReport& report);
/// One screen.
std::string to_text(const DeviceReport& report);

/// Opens the store of a configuration while its relay may run. Errors: as ra::open_existing().
Result<std::unique_ptr<store::Database>> open_store(const Config& config);

} // namespace acmetool::relay
