#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "base/result.h"
#include "brski/masa.h"
#include "brski/recent_grants.h"
#include "brski/status.h"
#include "http/authentication.h"
#include "http/server.h"
#include "store/sqlite.h"

/// A MASA with decisions, signatures and audit log; optionally also a cloud registrar.
namespace acmetool::brski
{

/// The audit log in SQLite; an entry is on disk before its voucher is sent. Thread-safe.
class ACMETOOL_EXPORT MasaRecords
{
public:
    static Result<std::unique_ptr<MasaRecords>> open(const std::string& file);
    Result<void> add(const std::string& serial_number, const AuditEvent& event);
    /// All events of a device, newest first.
    Result<AuditLog> log(const std::string& serial_number);

private:
    explicit MasaRecords(std::unique_ptr<store::Sqlite> database) : database_(std::move(database)) {}
    std::mutex mutex_;
    std::unique_ptr<store::Sqlite> database_;
};

/// A cloud registrar's entry for a device (draft-ietf-anima-brski-cloud).
struct CloudEntry {
    std::string redirect;   ///< URL of the owner's registrar, answered with 307; or:
    std::string est_domain; ///< where to enrol, in a voucher
    Bytes pinned;           ///< pinned by such a voucher, DER
};
using CloudList = std::map<std::string, CloudEntry, std::less<>>;

/// Parses lines "serial,redirect,URL" and "serial,est,DOMAIN,FILE.pem" (base::CsvList), one for each device.
/// File names are relative to the folder of `file`. Errc::config, reason "badCloudList", with the line.
ACMETOOL_EXPORT Result<CloudList> parse_cloud_list(std::string_view text, const std::string& file);

struct MasaOptions {
    MasaPolicy policy;
    Signer signer;
    http::Credentials credentials; ///< required from registrars by HTTP Basic; no user: none
    CloudList cloud;               ///< devices that may contact this cloud registrar
    bool is_cloud = false;         ///< pledges are answered; those not in `cloud` with 401
    /// Retry-After for these; zero: none, which means that they must not try again.
    std::chrono::seconds owner_retry{std::chrono::minutes{10}};
    /// Receives the report of a cloud registrar's pledge: its serial number and status.
    std::function<void(const std::string& serial_number, const Status& status)> on_status;
    std::function<void(const Error& error)> on_failure; ///< the audit log cannot be read or written
};

class ACMETOOL_EXPORT MasaService
{
public:
    MasaService(MasaOptions options, MasaRecords& records) : options_(std::move(options)), records_(records)
    {
    }

    /// Decides, records and signs in the format of the request or another one. Errors as in decide().
    Result<Bytes> sign(const Envelope& request, Format format, base::TimePoint now);

    /// POST /.well-known/brski/requestvoucher and requestauditlog, and voucher_status at a cloud registrar.
    /// Refusals are plain text (RFC 8995 section 5.6).
    http::ServerResponse handle(const http::ServerRequest& request, base::TimePoint now);

private:
    http::ServerResponse answer_pledge(const Envelope& envelope, const http::ServerRequest& request,
                                       Format format, base::TimePoint now);
    http::ServerResponse take_status(const http::ServerRequest& request, base::TimePoint now) const;
    http::ServerResponse refusal(const Error& error) const;
    Result<Bytes> issue(const Grant& grant, Format format);
    http::ServerResponse audit(const Grant& grant);

    MasaOptions options_;
    MasaRecords& records_;
    RecentGrants recent_;
};

} // namespace acmetool::brski
