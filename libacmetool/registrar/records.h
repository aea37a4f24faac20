#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "store/database.h"

namespace acmetool::registrar
{

/// Where a device stands on its way from voucher-request to enrolment.
enum class State {
    asking,    ///< the MASA is asked for a voucher
    auditing,  ///< a voucher is there, the MASA is asked for its log
    ready,     ///< voucher and log are good: the device may have its voucher
    forwarded, ///< it was given its voucher and may enrol
    refused,   ///< no: see `reason` and `status`
};
std::string_view name_of(State state);

/// All that is known of one device, by its IDevID.
struct Record {
    std::string id;           ///< SHA-256 of the IDevID, lower-case hexadecimal
    std::string serial;       ///< serialNumber of the IDevID
    std::string manufacturer; ///< as configured
    State state = State::asking;
    std::string request_digest; ///< SHA-256 of the pledge's request, hexadecimal
    Bytes registrar_request;    ///< as sent to the MASA
    std::string media_type;     ///< of both requests
    std::string accept;         ///< of the pledge
    std::string nonce;
    std::string masa_url;
    Bytes voucher; ///< as it came
    std::string voucher_type;
    int status = 0; ///< HTTP, of a refusal
    std::string reason;
    base::TimePoint since{};    ///< of this request
    std::string voucher_status; ///< what the pledge said; empty: nothing yet
    std::string enroll_status;
    std::string certificate; ///< SHA-256 of what the device enrolled last, hexadecimal
};

/// The records in the relay's SQLite file. Used by one thread at a time.
class Records
{
public:
    static Result<Records> open(const std::string& file);
    Result<std::vector<Record>> all();
    /// All of them, or none; an empty list fails, too, if the file is not the one that was opened. The nonces
    /// of all requests of a device are kept.
    Result<void> put(const std::vector<Record>& records);
    /// The octets of the nonces of all requests of a device, of the newest thousand.
    Result<std::set<Bytes>> nonces(const std::string& id);

private:
    Result<void> put(const Record& record);

    explicit Records(std::unique_ptr<store::Database> database) : database_(std::move(database)) {}
    std::unique_ptr<store::Database> database_;
};

} // namespace acmetool::registrar
