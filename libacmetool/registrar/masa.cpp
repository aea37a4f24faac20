#include "registrar/masa.h"

#include <algorithm>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "base/time.h"
#include "brski/idevid.h"
#include "http/text_response.h"
#include "http/url.h"
#include "registrar/replies.h"

namespace acmetool::registrar
{
namespace
{

using Steady = std::chrono::steady_clock;

constexpr base::Milliseconds kIdle{200};
constexpr base::Milliseconds kWriteWithin{200}; // after a change that nobody waits for
constexpr std::chrono::seconds kWriteAgain{10}; // after a write that failed
constexpr unsigned kRequestsAtOnce = 32;
constexpr std::size_t kLargestReply = 1024 * 1024;

bool is_decided(const Record& record)
{
    return record.state == State::ready || record.state == State::forwarded || record.state == State::refused;
}

} // namespace

http::ClientOptions masa_client(const Options& options, const ManufacturerOptions& manufacturer)
{
    http::ClientOptions settings;
    settings.ca_file = manufacturer.masa_ca;
    settings.client_certificate = manufacturer.masa_certificate;
    settings.client_key = manufacturer.masa_key;
    settings.request_timeout = options.masa_timeout;
    settings.body_limit = kLargestReply;
    return settings;
}

Result<void> may_ask(const ManufacturerOptions& manufacturer, const std::string& masa_url)
{
    if (!manufacturer.masa_url.empty()) {
        ACMETOOL_TRY(configured, brski::parse_masa_url(manufacturer.masa_url));
        if (configured == masa_url) return {};
    }
    ACMETOOL_TRY(url, http::parse_url(masa_url));
    for (const auto& host : manufacturer.masa_hosts)
        if (base::equals_ignoring_case(host, url.authority()) ||
            base::equals_ignoring_case(host, fmt::format("{}:{}", url.host, url.port)))
            return {};
    return fail(Errc::refused,
                fmt::format("the IDevID names the MASA {}, which is not among this manufacturer's",
                            base::printable(url.authority(), 100)),
                "add it to masa_hosts if it is right", "masaUrl");
}

Result<std::unique_ptr<MasaClient>> MasaClient::open(const Options& options,
                                                     const ManufacturerOptions& manufacturer,
                                                     const std::string& store_file,
                                                     const std::vector<crypto::Certificate>& registrar,
                                                     enrol::EventSink& events)
{
    ACMETOOL_TRY(curl, http::curl_library());
    ACMETOOL_TRY(records, Records::open(store_file));
    ACMETOOL_TRY(known, records.all());
    std::unique_ptr<MasaClient> masa{
        new MasaClient(options, manufacturer, std::move(records), *curl, events)};
    for (auto& record : known) {
        if (record.manufacturer != manufacturer.name) continue;
        if (!is_decided(record)) masa->open_.insert(record.id);
        auto& device = masa->devices_[record.id];
        device.registrar = registrar;
        device.remembered = true;
        device.record = std::move(record);
    }
    masa->thread_ = std::thread{[raw = masa.get()] { raw->run(); }};
    return masa;
}

MasaClient::MasaClient(const Options& options, ManufacturerOptions manufacturer, Records records,
                       const http::CurlLibrary& curl, enrol::EventSink& events)
    : curl_(curl), events_(events), records_(std::move(records)), options_(options),
      manufacturer_(std::move(manufacturer)), other_settings_(true)
{
    renew_client();
}

MasaClient::~MasaClient()
{
    {
        const std::lock_guard lock{mutex_};
        stopping_ = true;
    }
    wake();
    if (thread_.joinable()) thread_.join();
}

void MasaClient::wake()
{
    const std::lock_guard lock{mutex_};
    http_->wake();
}

void MasaClient::use(const Options& options, const ManufacturerOptions& manufacturer)
{
    const std::lock_guard lock{mutex_};
    options_ = options;
    manufacturer_ = manufacturer;
    other_settings_ = true;
    http_->wake();
}

/// The requests of the client before are forgotten with it, so they are sent again.
void MasaClient::renew_client()
{
    const std::lock_guard lock{mutex_};
    if (!std::exchange(other_settings_, false)) return;
    http_ = std::make_unique<http::MultiClient>(curl_, masa_client(options_, manufacturer_), kRequestsAtOnce,
                                                !manufacturer_.private_addresses);
    login_.use(std::nullopt);
    if (const auto& file = manufacturer_.masa_credentials; !file.empty()) {
        // It was read before, so that it most likely can be.
        if (auto credentials = read_masa_credentials(file))
            login_.use(std::move(*credentials));
        else
            events_.event({{"event", "brski"}, {"level", "error"}, {"text", credentials.error().message}});
    }
    for (const auto& id : open_) {
        devices_.at(id).asked = false;
        devices_.at(id).again = {};
    }
}

void MasaClient::touch(const Device& device)
{
    if (dirty_.empty()) write_by_ = Steady::now() + kWriteWithin;
    dirty_.insert_or_assign(device.record.id, device.record);
}

std::optional<Record> MasaClient::find(const std::string& id) const
{
    const std::lock_guard lock{mutex_};
    const auto found = devices_.find(id);
    if (found == devices_.end()) return std::nullopt;
    return found->second.record;
}

std::optional<Record> MasaClient::find_by_certificate(const std::string& digest) const
{
    const std::lock_guard lock{mutex_};
    for (const auto& [id, device] : devices_)
        if (device.record.certificate == digest) return device.record;
    return std::nullopt;
}

std::vector<Record> MasaClient::all() const
{
    const std::lock_guard lock{mutex_};
    std::vector<Record> records;
    for (const auto& [id, device] : devices_)
        records.push_back(device.record);
    return records;
}

void MasaClient::ask(Record record, std::vector<crypto::Certificate> registrar, http::Responder respond)
{
    {
        const std::lock_guard lock{mutex_};
        auto& device = devices_[record.id];
        const bool same = device.record.request_digest == record.request_digest;
        device.registrar = std::move(registrar);
        if (!same) {
            for (auto& waiter : device.waiters)
                answers_.push_back(
                    {std::move(waiter.respond), http::text_response(409, "another request came")});
            device.waiters.clear();
            device.asked = false;
            device.again = {};
            device.backoff = std::chrono::seconds{1};
            device.record = std::move(record);
            device.remembered = false;
            touch(device);
            write_by_ = Steady::now();
        }
        if (is_decided(device.record)) {
            answers_.push_back({std::move(respond), answer(device)});
        } else {
            device.waiters.push_back({Steady::now() + options_.wait, std::move(respond)});
            open_.insert(device.record.id);
        }
    }
    wake();
}

void MasaClient::change(const std::string& id, const std::function<void(Record&)>& change,
                        http::Responder respond, http::ServerResponse response)
{
    {
        const std::lock_guard lock{mutex_};
        if (const auto found = devices_.find(id); found != devices_.end()) {
            change(found->second.record);
            touch(found->second);
        }
        answers_.push_back({std::move(respond), std::move(response)});
    }
    wake();
}

/// RFC 8995 section 5.6: the voucher as it came, or the MASA's refusal. A device may enrol once its voucher
/// was forwarded (section 5.9), which is on disk before the voucher leaves.
http::ServerResponse MasaClient::answer(Device& device)
{
    auto& record = device.record;
    if (record.state == State::ready) {
        record.state = State::forwarded;
        touch(device);
    }
    if (record.state == State::forwarded)
        return {200, {{"Content-Type", record.voucher_type}}, std::string{as_text(record.voucher)}, false};
    if (record.state == State::refused) return http::text_response(record.status, record.reason);
    auto response = http::text_response(202, {});
    response.headers.emplace_back("Retry-After", std::to_string(options_.retry_after.count()));
    return response;
}

void MasaClient::tell(const Record& record, const std::string& what)
{
    events_.event({{"event", "brski"},
                   {"manufacturer", record.manufacturer},
                   {"serial", base::printable(record.serial, 100)},
                   {"state", name_of(record.state)},
                   {"text", what},
                   {"level", record.state == State::refused ? "warning" : "info"}});
}

/// The device, if the answer to this very request is still wanted.
MasaClient::Device* MasaClient::current(const std::string& id, const std::string& digest)
{
    const auto found = devices_.find(id);
    if (found == devices_.end() || found->second.record.request_digest != digest) return nullptr;
    return &found->second;
}

void MasaClient::refuse(Device& device, int status, const std::string& reason)
{
    auto& record = device.record;
    record.state = State::refused;
    record.status = status;
    record.reason = reason;
    touch(device);
    tell(record, reason);
}

/// Has the request sent again with what a 401 asks for, once.
bool MasaClient::log_in(Device& device, const http::Response& reply)
{
    device.logged_in = reply.status == 401 && !device.logged_in && login_.take(reply);
    return device.logged_in;
}

void MasaClient::later(Device& device, const std::string& why, std::optional<std::chrono::seconds> asked)
{
    if (base::now() - device.record.since > options_.give_up) {
        refuse(device, 504, why);
        return;
    }
    device.record.reason = why;
    touch(device);
    device.again = Steady::now() + asked.value_or(device.backoff);
    device.backoff = std::min(device.backoff * 2, kLongestWait);
    tell(device.record, why);
}

void MasaClient::took_voucher(const std::string& id, const std::string& digest, Result<http::Response> reply)
{
    const std::lock_guard lock{mutex_};
    auto* device = current(id, digest);
    if (device == nullptr) return;
    device->asked = false;
    if (!reply) {
        later(*device, reply.error().message, std::nullopt);
        return;
    }
    if (log_in(*device, *reply)) return;
    if (reply->status == 202 || reply->status == 429 || reply->status >= 500) {
        later(*device, words_of(*reply), asked_wait(*reply));
        return;
    }
    if (reply->status != 200) {
        // RFC 8995 section 5.4: a 401 is the administrator's matter, not the pledge's.
        const bool told = reply->status == 403 || reply->status == 404 || reply->status == 406;
        refuse(*device, told ? reply->status : 403, words_of(*reply));
        return;
    }
    const auto accepted = accept_voucher(device->record, device->registrar, *reply);
    if (!accepted) {
        refuse(*device, 403, accepted.error().message);
        return;
    }
    device->record.voucher.assign(reply->body.begin(), reply->body.end());
    device->record.voucher_type = accepted->type;
    device->pinned_domain = accepted->pinned_domain;
    device->backoff = std::chrono::seconds{1};
    device->again = {};
    device->record.reason.clear();
    device->record.state = options_.audit_log ? State::auditing : State::ready;
    touch(*device);
    tell(device->record, "voucher received");
}

void MasaClient::follow_log(const std::string& id, const std::string& digest, const http::Response& reply)
{
    const auto location = http::find(reply.headers, "location");
    std::string masa;
    {
        const std::lock_guard lock{mutex_};
        auto* device = current(id, digest);
        if (device == nullptr) return;
        masa = device->record.masa_url;
    }
    const auto base = http::parse_url(masa);
    const auto url = base && location ? http::resolve(*base, *location) : fail(Errc::protocol, "no Location");
    // The allow-list names hosts, so the log is fetched from the same one (SEC-06).
    if (!url || url->origin() != base->origin()) {
        const std::lock_guard lock{mutex_};
        if (auto* device = current(id, digest)) refuse(*device, 403, "the MASA put its audit log elsewhere");
        return;
    }
    http::Request request{http::Method::get, url->text(), {{"Accept", "application/json"}}, {}};
    {
        const std::lock_guard lock{mutex_};
        if (const auto good = login_.authorize(request); !good) {
            if (auto* device = current(id, digest)) refuse(*device, 403, good.error().message);
            return;
        }
    }
    http_->send(std::move(request), [this, id, digest](Result<http::Response> fetched) {
        if (fetched && fetched->status == 201) fetched->status = 500;
        took_log(id, digest, std::move(fetched));
    });
}

void MasaClient::took_log(const std::string& id, const std::string& digest, Result<http::Response> reply)
{
    if (reply && reply->status == 201) {
        follow_log(id, digest, *reply);
        return;
    }
    const std::lock_guard lock{mutex_};
    auto* device = current(id, digest);
    if (device == nullptr) return;
    device->asked = false;
    if (!reply || reply->status == 202 || reply->status == 429 || reply->status >= 500) {
        later(*device, "audit log: " + (reply ? words_of(*reply) : reply.error().message),
              reply ? asked_wait(*reply) : std::nullopt);
        return;
    }
    if (log_in(*device, *reply)) return;
    auto& record = device->record;
    if (reply->status != 200) {
        refuse(*device, 403, "audit log: " + words_of(*reply));
        return;
    }
    // Of a voucher that an earlier run took, the domain has to be read again.
    if (device->pinned_domain.empty())
        if (auto domain = pinned_domain(record, device->registrar))
            device->pinned_domain = std::move(*domain);
    auto asked = records_.nonces(id);
    if (!asked) {
        later(*device, asked.error().message, std::nullopt);
        return;
    }
    const auto good = accept_log(options_, {device->pinned_domain, record.nonce, std::move(*asked)}, *reply);
    if (!good) {
        refuse(*device, 403, good.error().message);
        return;
    }
    record.state = State::ready;
    record.reason.clear();
    touch(*device);
    tell(record, "audit log is good");
}

/// Sends what is due. A request is on disk before a MASA hears of it: its nonce is how the registrar knows
/// its own vouchers again in audit logs.
void MasaClient::send_due()
{
    std::vector<std::pair<http::Request, std::pair<std::string, bool>>> requests;
    std::vector<std::string> digests;
    {
        const std::lock_guard lock{mutex_};
        if (Steady::now() < write_again_) return;
        for (const auto& id : open_) {
            auto& device = devices_.at(id);
            auto& record = device.record;
            const bool log = record.state == State::auditing;
            if ((record.state != State::asking && !log) || !device.remembered || device.asked ||
                Steady::now() < device.again)
                continue;
            // The configuration may be another one than when the device asked.
            if (const auto allowed = may_ask(manufacturer_, record.masa_url); !allowed) {
                refuse(device, 403, allowed.error().message);
                continue;
            }
            device.asked = true;
            http::Request request;
            request.method = http::Method::post;
            request.url = record.masa_url + (log ? "/requestauditlog" : "/requestvoucher");
            request.headers = {{"Content-Type", record.media_type}};
            if (log)
                request.headers.emplace_back("Accept", "application/json");
            else
                request.headers.emplace_back("Accept", record.accept);
            request.body = as_text(record.registrar_request);
            if (const auto good = login_.authorize(request); !good) {
                refuse(device, 403, good.error().message);
                continue;
            }
            requests.emplace_back(std::move(request), std::pair{id, log});
            digests.push_back(record.request_digest);
        }
    }
    for (std::size_t i = 0; i < requests.size(); ++i) {
        auto& [request, what] = requests[i];
        http_->send(std::move(request), [this, id = what.first, digest = digests[i],
                                         log = what.second](Result<http::Response> reply) {
            if (log)
                took_log(id, digest, std::move(reply));
            else
                took_voucher(id, digest, std::move(reply));
        });
    }
}

void MasaClient::end_waits()
{
    const std::lock_guard lock{mutex_};
    const auto time = Steady::now();
    std::erase_if(open_, [this, time](const std::string& id) {
        auto& device = devices_.at(id);
        const bool decided = is_decided(device.record);
        std::erase_if(device.waiters, [this, &device, decided, time](Waiter& waiter) {
            if (!decided && !stopping_ && waiter.until > time) return false;
            answers_.push_back({std::move(waiter.respond), answer(device)});
            return true;
        });
        return decided;
    });
}

/// Writes what changed in one transaction; only then is anybody told. What nobody waits for is written soon,
/// with all that comes until then.
void MasaClient::commit()
{
    std::vector<Record> changed;
    std::vector<Answer> answers;
    {
        const std::lock_guard lock{mutex_};
        answers.swap(answers_);
        if (answers.empty() && !stopping_ && Steady::now() < std::max(write_again_, write_by_)) return;
        for (auto& [id, record] : dirty_)
            changed.push_back(std::move(record));
        dirty_.clear();
    }
    if (const auto written = records_.put(changed); !written) {
        events_.event({{"event", "brski"}, {"level", "error"}, {"text", written.error().message}});
        for (auto& answer : answers)
            answer.response = {503, {{"Retry-After", "10"}}, "the registrar cannot write\n", false};
        const std::lock_guard lock{mutex_};
        for (auto& record : changed)
            dirty_.try_emplace(record.id, std::move(record));
        write_again_ = Steady::now() + kWriteAgain;
    } else {
        const std::lock_guard lock{mutex_};
        for (const auto& record : changed)
            if (auto* device = current(record.id, record.request_digest)) device->remembered = true;
    }
    for (auto& answer : answers)
        answer.respond(std::move(answer.response));
}

void MasaClient::run()
{
    for (bool last = false; !last;) {
        {
            const std::lock_guard lock{mutex_};
            last = stopping_;
        }
        end_waits();
        commit();
        if (!last) {
            renew_client();
            send_due();
            http_->run(kIdle);
        }
    }
}

} // namespace acmetool::registrar
