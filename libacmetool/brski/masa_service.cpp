#include "brski/masa_service.h"

#include <algorithm>
#include <filesystem>

#include <fmt/core.h>

#include "base/text.h"
#include "brski/device_list.h"
#include "brski/idevid.h"
#include "crypto/digest.h"
#include "crypto/path.h"
#include "http/text_response.h"
#include "http/url.h"
#include "store/atomic_file.h"

namespace acmetool::brski
{
namespace
{

using http::text_response;

constexpr const char* kTable =
    "CREATE TABLE IF NOT EXISTS masa_log (number INTEGER PRIMARY KEY, serial TEXT NOT "
    "NULL, date TEXT NOT NULL, domain TEXT NOT NULL, nonce TEXT NOT NULL, assertion "
    "TEXT NOT NULL, key TEXT NOT NULL DEFAULT '')";
/// Databases created before keys were stored.
constexpr const char* kHasKeys = "SELECT 1 FROM pragma_table_info('masa_log') WHERE name = 'key'";
constexpr const char* kAddKeys = "ALTER TABLE masa_log ADD COLUMN key TEXT NOT NULL DEFAULT ''";
constexpr const char* kIndex = "CREATE INDEX IF NOT EXISTS masa_log_serial ON masa_log (serial)";
constexpr const char* kShownEvents = "1000";
constexpr const char* kRetryBroken = "30";

http::ServerResponse voucher_reply(const Bytes& voucher, Format format)
{
    return {200, {{"Content-Type", std::string{media_type(format)}}}, std::string{as_text(voucher)}, false};
}

/// Of a line of a cloud list, whose files are in `folder`.
Result<CloudEntry> to_cloud_entry(const std::vector<std::string>& fields, const std::filesystem::path& folder)
{
    CloudEntry entry;
    const auto is = [&](std::string_view kind, std::size_t size) {
        return fields.size() == size && !fields.front().empty() && fields[1] == kind;
    };
    if (is("redirect", 3)) {
        ACMETOOL_CHECK(http::parse_url(fields[2]));
        entry.redirect = fields[2];
        return entry;
    }
    if (!is("est", 4))
        return fail(Errc::config, "neither \"serial,redirect,URL\" nor \"serial,est,DOMAIN,FILE\"");
    const auto path = (folder / fields[3]).string();
    ACMETOOL_TRY(pem, store::read_file(path));
    ACMETOOL_TRY(certificates, crypto::parse_certificates(pem, path));
    entry.est_domain = fields[2];
    entry.pinned = certificates.front().der();
    return entry;
}

/// Compares in constant time.
bool equal(std::string_view one, std::string_view other)
{
    return crypto::equal_in_constant_time(crypto::sha256(as_bytes(one)), crypto::sha256(as_bytes(other)));
}

/// True if no credentials are required.
bool is_authorized(const http::ServerRequest& request, const http::Credentials& wanted)
{
    if (wanted.user.empty()) return true;
    const auto given = http::parse_basic(request.headers);
    if (!given) return false;
    const bool user = equal(given->user, wanted.user);
    return equal(given->password.reveal(), wanted.password.reveal()) && user;
}

http::ServerResponse not_authorized()
{
    auto response = text_response(401, {});
    response.headers.emplace_back("WWW-Authenticate", "Basic realm=\"masa\"");
    return response;
}

} // namespace

Result<std::unique_ptr<MasaRecords>> MasaRecords::open(const std::string& file)
{
    ACMETOOL_TRY(database, store::Sqlite::open(file));
    ACMETOOL_CHECK(database->execute(kTable));
    ACMETOOL_TRY(keys, database->execute(kHasKeys));
    if (keys.empty()) ACMETOOL_CHECK(database->execute(kAddKeys));
    ACMETOOL_CHECK(database->execute(kIndex));
    return std::unique_ptr<MasaRecords>{new MasaRecords(std::move(database))};
}

Result<void> MasaRecords::add(const std::string& serial_number, const AuditEvent& event)
{
    const std::lock_guard lock{mutex_};
    ACMETOOL_CHECK(database_->check_place());
    ACMETOOL_CHECK(database_->execute(
        "INSERT INTO masa_log (serial, date, domain, nonce, assertion, key) VALUES ($1, $2, $3, $4, $5, $6)",
        {serial_number, base::to_rfc3339(event.date), event.domain_id, event.nonce, event.assertion,
         event.key_digest}));
    return {};
}

Result<AuditLog> MasaRecords::log(const std::string& serial_number)
{
    const std::lock_guard lock{mutex_};
    ACMETOOL_CHECK(database_->check_place());
    ACMETOOL_TRY(
        rows, database_->execute("SELECT date, domain, nonce, assertion, key FROM masa_log WHERE serial = $1 "
                                 "ORDER BY number DESC LIMIT " +
                                     std::string{kShownEvents},
                                 {serial_number}));
    AuditLog log;
    for (const auto& row : rows) {
        ACMETOOL_TRY(date, base::parse_rfc3339(row[0]));
        log.events.push_back({date, row[1], row[2], row[3], 0, row[4]});
    }
    return log;
}

Result<CloudList> parse_cloud_list(std::string_view text, const std::string& file)
{
    CloudList cloud;
    const auto take = [&](const std::vector<std::string>& fields) -> Result<void> {
        ACMETOOL_TRY(entry, to_cloud_entry(fields, std::filesystem::path{file}.parent_path()));
        if (!cloud.emplace(fields.front(), std::move(entry)).second) return listed_twice(fields.front());
        return {};
    };
    ACMETOOL_CHECK(read_device_list(text, file, "badCloudList", take));
    return cloud;
}

Result<Bytes> MasaService::sign(const Envelope& request, Format format, base::TimePoint now)
{
    ACMETOOL_TRY(grant, decide(request, options_.policy, now));
    return issue(grant, format);
}

Result<Bytes> MasaService::issue(const Grant& grant, Format format)
{
    ACMETOOL_TRY(voucher, seal(to_json(grant.voucher), format, options_.signer));
    ACMETOOL_CHECK(records_.add(grant.voucher.serial_number, grant.event));
    return std::move(voucher);
}

/// Internal errors, which may contain paths, are only reported locally; the peer is asked to try again.
http::ServerResponse MasaService::refusal(const Error& error) const
{
    const int status = http_status_of(error);
    if (status < 500) return text_response(status, error.message);
    if (options_.on_failure) options_.on_failure(error);
    auto response = text_response(status, "the MASA is temporarily unavailable");
    response.headers.emplace_back("Retry-After", kRetryBroken);
    return response;
}

/// A pledge's own request, for which this is the cloud registrar.
http::ServerResponse MasaService::answer_pledge(const Envelope& envelope, const http::ServerRequest& caller,
                                                Format format, base::TimePoint now)
{
    const auto chain = verify_signature(envelope);
    if (!chain) return text_response(403, chain.error().message);
    // Only the device itself may send its request, not others who saw it.
    if (!caller.tls || caller.tls->certificates.empty() ||
        !caller.tls->certificates.front().public_key().same_public_key(chain->front().public_key()))
        return text_response(403, "the TLS client certificate must be the IDevID that signed the request");
    const auto& anchors = options_.policy.knowledge.idevid_anchors;
    if (const auto path = anchors.verify(*chain, crypto::PathPolicy::idevid(now)); !path)
        return text_response(404, "not a device of this manufacturer");
    const auto request = parse_voucher_request(envelope.content);
    const auto serial = enrol::device_serial(chain->front(), options_.policy.knowledge.serial_fields);
    if (!request) return text_response(400, request.error().message);
    if (!serial || *serial != request->serial_number)
        return text_response(403, "the serial number differs from the signer's");
    const auto entry = options_.cloud.find(*serial);
    if (entry == options_.cloud.end()) {
        // "the Registrar SHOULD include a Retry-After header that includes a time to defer. The absence [...]
        // indicates to the Pledge not to attempt again."
        auto response = text_response(401, {});
        if (options_.owner_retry.count() > 0)
            response.headers.emplace_back("Retry-After", std::to_string(options_.owner_retry.count()));
        return response;
    }
    if (!entry->second.redirect.empty()) {
        auto response = text_response(307, "use the owner's registrar");
        const auto url = http::parse_url(entry->second.redirect);
        response.headers.emplace_back(
            "Location", url->target == "/" ? url->origin() + well_known("requestvoucher") : url->text());
        return response;
    }
    Voucher voucher;
    voucher.assertion = "verified";
    voucher.serial_number = *serial;
    voucher.nonce = request->nonce;
    voucher.created_on = now;
    if (voucher.nonce.empty()) return text_response(403, "the request has no nonce");
    voucher.idevid_issuer = idevid_issuer(chain->front());
    voucher.pinned_domain_cert = entry->second.pinned;
    voucher.est_domain = entry->second.est_domain;
    const auto pinned = crypto::parse_certificates(as_text(entry->second.pinned), "pinned");
    if (!pinned) return text_response(500, pinned.error().message);
    const auto owner = options_.policy.owners.find(*serial);
    if (owner != options_.policy.owners.end() && !is_owner(owner->second, pinned->front()))
        return text_response(403, "this device belongs to another domain");
    const auto sealed = seal(to_json(voucher), format, options_.signer);
    if (!sealed) return text_response(500, sealed.error().message);
    const AuditEvent event{now, domain_id(pinned->front()), voucher.nonce, voucher.assertion,
                           0,   key_digest(pinned->front())};
    if (const auto added = records_.add(*serial, event); !added) return refusal(added.error());
    return voucher_reply(*sealed, format);
}

/// RFC 8995 section 5.7, from a device that this server answered.
http::ServerResponse MasaService::take_status(const http::ServerRequest& request, base::TimePoint now) const
{
    if (!is_status_type(http::find(request.headers, "content-type").value_or("")))
        return text_response(415, "a status message must be application/json");
    const auto chain = request.tls ? request.tls->certificates : std::vector<crypto::Certificate>{};
    const auto& knowledge = options_.policy.knowledge;
    const auto known = knowledge.idevid_anchors.verify(chain, crypto::PathPolicy::idevid(now));
    const auto serial =
        known ? enrol::device_serial(chain.front(), knowledge.serial_fields) : fail(known.error());
    if (!serial || !options_.cloud.contains(*serial))
        return text_response(404, "this server has not answered this device");
    const auto status = parse_status(request.body);
    if (!status) return text_response(400, status.error().message);
    if (options_.on_status) options_.on_status(*serial, *status);
    return {200, {}, "", false};
}

http::ServerResponse MasaService::audit(const Grant& grant)
{
    const auto log = records_.log(grant.voucher.serial_number);
    if (!log) return refusal(log.error());
    // RFC 8995 section 5.8: only a domain that had a voucher for the device may read its log; the pinned key
    // identifies it.
    if (std::none_of(log->events.begin(), log->events.end(),
                     [&](const auto& event) { return event.key_digest == grant.event.key_digest; }))
        return text_response(404, "no voucher was issued to this domain for this device");
    return {200, {{"Content-Type", "application/json"}}, to_json(*log), false};
}

http::ServerResponse MasaService::handle(const http::ServerRequest& request, base::TimePoint now)
{
    const auto target = std::string_view{request.target}.substr(0, request.target.find('?'));
    const bool wants_log = target == well_known("requestauditlog");
    const bool status = options_.is_cloud && target == well_known("voucher_status");
    if (!wants_log && !status && target != well_known("requestvoucher"))
        return text_response(404, "only requestvoucher and requestauditlog exist");
    if (request.method != "POST") {
        auto response = text_response(405, "the method must be POST");
        response.headers.emplace_back("Allow", "POST");
        return response;
    }
    if (status) return take_status(request, now);
    const auto type = format_of(http::find(request.headers, "content-type").value_or(""));
    if (!type)
        return text_response(415,
                             "the type must be application/voucher-cms+json or application/voucher-jws+json");
    const auto accept = http::find(request.headers, "accept").value_or("");
    const auto format = choose_format(accept, *type);
    if (!format && !wants_log)
        return text_response(406, "vouchers are available as application/voucher-cms+json or -jws+json");
    // A cloud registrar's pledges have no password, and only their signature distinguishes them from
    // registrars.
    const bool authorized = is_authorized(request, options_.credentials);
    if (!options_.is_cloud && !authorized) return not_authorized();
    const auto digest = crypto::sha256(as_bytes(request.body));
    if (wants_log && authorized)
        if (const auto known = recent_.find(digest, now)) return audit(*known);
    const auto envelope = parse_envelope(as_bytes(request.body), *type);
    if (!envelope) return text_response(400, envelope.error().message);
    if (options_.is_cloud && !wants_log)
        if (const auto chain = verify_signature(*envelope);
            chain && !crypto::has_extended_key_usage(chain->front(), crypto::kCmcRaPurpose))
            return answer_pledge(*envelope, request, *format, now);
    if (!authorized) return not_authorized();
    const auto grant = decide(*envelope, options_.policy, now);
    if (!grant) return refusal(grant.error());
    if (wants_log) return audit(*grant);
    const auto voucher = issue(*grant, *format);
    if (!voucher) return refusal(voucher.error());
    recent_.add(digest, *grant, now);
    return voucher_reply(*voucher, *format);
}

} // namespace acmetool::brski
