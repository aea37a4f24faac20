#include "registrar/registrar.h"

#include <iterator>
#include <mutex>
#include <utility>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "base/worker.h"
#include "brski/checks.h"
#include "brski/idevid.h"
#include "brski/voucher.h"
#include "crypto/digest.h"
#include "enrol/device_label.h"
#include "http/multi_client_wait.h"
#include "registrar/masa_client.h"
#include "registrar/open_requests.h"
#include "registrar/settings.h"
#include "store/configured.h"

namespace acmetool::registrar
{
namespace
{

using base::Json;

constexpr std::chrono::seconds kCrlRetry{300};

enrol::Refused forbidden(std::string text)
{
    return {enrol::Refusal::forbidden, std::move(text), {}};
}

enrol::Refused away()
{
    const auto refusal = store_refusal();
    return {enrol::Refusal::unavailable, refusal.text, refusal.retry_after};
}

/// Why a device of this manufacturer, as it is in the store, may not enrol.
std::optional<enrol::Refused> objection_to(const Result<std::optional<Device>>& device,
                                           const std::string& manufacturer)
{
    if (!device) return away();
    if (!*device || (*device)->manufacturer != manufacturer)
        return forbidden("no voucher was forwarded to this device: it has to ask for one first");
    if ((*device)->state == State::refused)
        return forbidden("this device got no voucher: " + (*device)->reason);
    if ((*device)->state != State::forwarded)
        return forbidden("this device's voucher is still on its way: it has to ask for it again");
    if ((*device)->voucher_status.starts_with("failure"))
        return forbidden("this device said that its voucher is not good");
    return std::nullopt;
}

/// What the registration authority says of a device that may have no voucher.
Refused refusal_of(const enrol::Refused& refused)
{
    if (refused.why == enrol::Refusal::unavailable)
        return {Cause::unavailable, refused.text, refused.retry_after};
    if (refused.why == enrol::Refusal::unauthenticated) return {Cause::unauthenticated, refused.text};
    return {Cause::unwelcome, refused.text};
}

/// The device is this manufacturer's, but its certificate is not valid.
Refused refusal_of_device(const Manufacturer& manufacturer, const Error& objection)
{
    auto text = fmt::format("the certificate of this device of {} is not valid: {}",
                            manufacturer.options.name, objection.message);
    if (objection.code == Errc::temporary) return {Cause::unavailable, std::move(text), kCrlRetry};
    if (objection.code == Errc::bad_input) return {Cause::bad_request, objection.message};
    return {Cause::unwelcome, std::move(text)};
}

Cause cause_of_record(const Error& error)
{
    return error.code == Errc::config    ? Cause::misconfigured
           : error.code == Errc::refused ? Cause::masa_not_allowed
                                         : Cause::bad_request;
}

/// One voucher-request on its way to OpenRequests.
struct Asked {
    std::shared_ptr<const Settings> settings;
    Pledge pledge; ///< of `settings`
    crypto::Certificate idevid;
    std::string address;
    std::string accept;
    std::string request_id;
    brski::Envelope envelope;
    std::chrono::milliseconds wait;
    std::function<void(Decision)> done;
};

/// The request that the MASA gets (RFC 8995 section 5.5).
Result<Record> new_record(const Asked& asked, const brski::VoucherRequest& request, std::string id,
                          std::string digest, base::TimePoint now)
{
    const auto& envelope = asked.envelope;
    Record record;
    record.id = std::move(id);
    // Section 5.5: from the authenticated certificate, never from the request.
    record.serial = asked.pledge.identity.serial;
    record.manufacturer = asked.pledge.identity.manufacturer;
    record.request_digest = std::move(digest);
    record.media_type = brski::media_type(envelope.format);
    record.accept = asked.accept;
    record.nonce = request.nonce;
    record.since = now;
    ACMETOOL_TRY(url, asked.pledge.manufacturer->masa_of(asked.idevid));
    record.masa_url = url;
    brski::VoucherRequest ours;
    ours.assertion = request.assertion;
    ours.serial_number = record.serial;
    ours.nonce = request.nonce;
    ours.created_on = now;
    ours.idevid_issuer = brski::idevid_issuer(asked.idevid);
    ours.prior_signed_voucher_request = envelope.octets;
    ACMETOOL_TRY(sealed, brski::seal(brski::to_json(ours), envelope.format, asked.settings->signer));
    record.registrar_request = std::move(sealed);
    return record;
}

/// Of the status document.
Json request_as_json(const Device& device)
{
    return Json{{"serial", base::printable(device.serial, 100)},
                {"manufacturer", device.manufacturer},
                {"masa", base::printable(device.masa_url)},
                {"since", base::to_rfc3339(device.since)},
                {"cause", name_of(device.cause)},
                {"reason", base::printable(device.reason.empty() ? device.voucher_status : device.reason)}};
}

/// A configuration that was read and is not in use yet.
struct Fresh {
    std::shared_ptr<const Settings> settings;
    std::vector<std::pair<std::shared_ptr<Masa>, MasaSettings>> kept; ///< MASAs that are in use
    std::vector<Record> resumed; ///< open requests of manufacturers that are new
};

} // namespace

struct Registrar::Impl {
    explicit Impl(Parts given)
        : authority(*given.authority), events(*given.events), commits(std::move(given.commits)),
          make_masa(given.make_masa ? std::move(given.make_masa)
                                    : MakeMasa{[this](MasaSettings masa, MasaThread thread) {
                                          return MasaClient::start(std::move(masa), events, thread);
                                      }}),
          now(given.now ? std::move(given.now) : base::now), crls(std::move(given.crls)),
          reader(std::move(given.reader)), transfers(new http::MultiClientWait()),
          worker("registrar", std::unique_ptr<base::Worker::Wait>{transfers}),
          requests({worker, *commits, reader, events, now,
                    given.run ? std::move(given.run) : [] { return std::string{}; }})
    {
    }

    std::shared_ptr<const Settings> current() const
    {
        const std::lock_guard lock{mutex};
        return settings;
    }
    Result<std::shared_ptr<Fresh>> read(const Options& options, brski::Signer signer);
    void put_in_use(const std::shared_ptr<Fresh>& fresh);
    void begin(const Asked& asked);

    enrol::RegistrationAuthority& authority;
    enrol::EventSink& events;
    const std::shared_ptr<store::GroupCommit> commits;
    const MakeMasa make_masa;
    const std::function<base::TimePoint()> now;
    const std::shared_ptr<const crypto::FetchedCrls> crls;
    mutable Reader reader;
    mutable std::mutex mutex; ///< of `settings`
    std::shared_ptr<const Settings> settings = std::make_shared<const Settings>();
    http::MultiClientWait* const transfers; ///< the worker's: with the MASAs
    base::Worker worker;                    ///< stopped before anything is destroyed
    OpenRequests requests;                  ///< belongs to `worker`
};

/// Manufacturers that are in use keep their MASA's client.
Result<std::shared_ptr<Fresh>> Registrar::Impl::read(const Options& options, brski::Signer signer)
{
    const auto before = current();
    auto fresh = std::make_shared<Fresh>();
    auto next = std::make_shared<Settings>();
    next->options = options;
    next->signer = std::move(signer);
    if (!options.manufacturers.empty())
        ACMETOOL_CHECK(reader.read([](Records& records) { return records.create(); }));
    std::vector<enrol::Manufacturer> cas;
    ACMETOOL_TRY(all_anchors, read_anchors(options.device_trust));
    next->devices = enrol::Manufacturers{{{{}, all_anchors, {}}}, {}};
    next->device_anchors = std::move(all_anchors);
    for (const auto& one : options.manufacturers) {
        ACMETOOL_TRY(anchors, read_anchors(one.trust));
        ACMETOOL_TRY(revoked, store::read_crl_sources(one.crl, crls));
        ACMETOOL_TRY(masa_settings, read_masa_settings(options, one));
        std::shared_ptr<Masa> masa;
        if (const auto* known = before->find(one.name)) {
            masa = known->masa;
            fresh->kept.emplace_back(masa, std::move(masa_settings));
        } else {
            ACMETOOL_TRY(made, make_masa(std::move(masa_settings), {worker, *transfers}));
            masa = std::move(made);
            ACMETOOL_TRY(open,
                         reader.read([&one](Records& records) { return records.open_records(one.name); }));
            std::move(open.begin(), open.end(), std::back_inserter(fresh->resumed));
        }
        next->manufacturers.push_back(
            {one, crypto::AnchorStore{anchors}, std::move(revoked), std::move(masa)});
        cas.push_back({one.name, std::move(anchors), one.serial_from, one.grace});
    }
    next->identities = enrol::Manufacturers{cas, {}};
    fresh->settings = std::move(next);
    return fresh;
}

void Registrar::Impl::put_in_use(const std::shared_ptr<Fresh>& fresh)
{
    for (auto& [masa, masa_settings] : fresh->kept)
        masa->use(std::move(masa_settings));
    // Posted first: requests that begin with these settings come after it.
    worker.post([this, fresh] { requests.use(fresh->settings, std::move(fresh->resumed)); });
    auto next = fresh->settings;
    const std::lock_guard lock{mutex};
    settings.swap(next); // what is gone is destroyed outside of the lock
}

/// On the registrar's thread: the registration authority has nothing against the device.
void Registrar::Impl::begin(const Asked& asked)
{
    const auto& chain = asked.settings->signer.chain;
    const auto verdict = brski::check_pledge_request(
        asked.envelope, {asked.idevid, chain.front(), asked.pledge.manufacturer->options.serial_from});
    if (!verdict.report.good()) {
        const auto error = verdict.report.error("voucher-request");
        const auto cause = error.reason == acmetool::Cause::proximity_registrar_cert ? Cause::other_registrar
                                                                                     : Cause::bad_request;
        events.event({{"event", "brski"},
                      {"level", "warning"},
                      {"address", asked.address},
                      {"client", base::printable(asked.idevid.subject())},
                      {"request_id", asked.request_id},
                      {"cause", name_of(cause)},
                      {"text", error.message}});
        return asked.done(Refused{cause, error.message});
    }
    const auto digest = to_hex(crypto::sha256(asked.envelope.octets));
    // The same request again joins what is under way: nothing is signed anew.
    const auto known = reader.read([&asked](Records& records) { return records.device(asked.pledge.ids); });
    if (!known) return asked.done(store_refusal());
    const auto id = *known ? (*known)->id : asked.pledge.ids.id;
    const OpenRequests::Asker asker{asked.request_id, asked.wait, asked.done};
    auto earlier = requests.join(id, digest, asked.pledge.identity.manufacturer, chain, asker);
    if (!earlier) return;
    auto record = new_record(asked, *verdict.request, id, digest, now());
    if (!record) {
        const auto cause = cause_of_record(record.error());
        events.event({{"event", "brski"},
                      {"level", "warning"},
                      {"cause", name_of(cause)},
                      {"text", record.error().message}});
        return asked.done(Refused{cause, record.error().message});
    }
    requests.begin(std::move(*record), std::move(*earlier), chain, asker);
}

Registrar::Registrar(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Registrar::~Registrar()
{
    stop();
}

void Registrar::stop()
{
    impl_->worker.post([this] { impl_->requests.end(); });
    impl_->worker.stop();
}

Result<std::unique_ptr<Registrar>> Registrar::open(const Options& options, brski::Signer signer, Parts parts)
{
    std::unique_ptr<Registrar> registrar{new Registrar(std::make_unique<Impl>(std::move(parts)))};
    auto& impl = *registrar->impl_;
    impl.worker.post([&impl] { impl.requests.use(impl.current(), {}); });
    ACMETOOL_TRY(fresh, impl.read(options, std::move(signer)));
    impl.put_in_use(fresh);
    return registrar;
}

bool Registrar::has_manufacturers() const
{
    return !impl_->current()->manufacturers.empty();
}

void Registrar::request_voucher(VoucherRequested request, std::function<void(Decision)> done)
{
    auto settings = impl_->current();
    const auto& certificates = request.peer.certificates;
    if (certificates.empty())
        return done(Refused{Cause::no_certificate, "show the device's IDevID in the TLS handshake"});
    auto origin = settings->origin_of(certificates, impl_->now());
    if (origin.manufacturer == nullptr)
        return done(Refused{Cause::unknown_device, "devices of this manufacturer are not known here"});
    if (origin.objection) {
        const auto refused = refusal_of_device(*origin.manufacturer, *origin.objection);
        impl_->events.event({{"event", "brski"},
                             {"level", "warning"},
                             {"address", request.peer.address},
                             {"client", base::printable(certificates.front().subject())},
                             {"request_id", request.request_id},
                             {"cause", name_of(refused.cause)},
                             {"text", refused.text}});
        return done(refused);
    }
    auto envelope = brski::parse_envelope(request.request, request.format);
    if (!envelope) return done(Refused{Cause::malformed, envelope.error().message});
    const auto wait = request.wait.value_or(settings->options.wait);
    auto asked = std::make_shared<const Asked>(Asked{std::move(settings), std::move(*origin.pledge),
                                                     certificates.front(), request.peer.address,
                                                     std::move(request.accept), std::move(request.request_id),
                                                     std::move(*envelope), wait, std::move(done)});
    // The registration authority says whether the device is welcome: inventory, blocked, revoked.
    impl_->authority.csr_attributes(
        std::move(request.peer), "",
        impl_->worker.bind([impl = impl_.get(), asked](const enrol::AttributesDecision& decision) {
            if (const auto* refused = std::get_if<enrol::Refused>(&decision))
                return asked->done(refusal_of(*refused));
            if (!std::get<enrol::CsrAttributes>(decision).authenticated)
                return asked->done(Refused{Cause::unauthenticated,
                                           "the registration authority trusts no CA of this device"});
            impl->begin(*asked);
        }));
}

/// RFC 8995 sections 5.7 and 5.9.4: taken and logged. In one job of the store, which comes after that of the
/// certificate that the device has just enrolled.
void Registrar::take_status(StatusTold told, const std::function<void(std::optional<Refused>)>& done)
{
    if (told.peer.certificates.empty())
        return done(Refused{Cause::no_certificate, "show the device's certificate in the TLS handshake"});
    const bool enrolment = told.of == StatusTold::Of::enrolment;
    const auto text = fmt::format("{}{}{}", told.status.status ? "success" : "failure",
                                  told.status.reason.empty() ? "" : ": ", told.status.reason);
    Json event{{"event", enrolment ? "enrollstatus" : "voucher_status"},
               {"text", text},
               {"level", told.status.status ? "info" : "warning"}};
    if (!told.unknown.empty()) event["unknown"] = base::printable(told.unknown);
    const auto digest = to_hex(told.peer.certificates.front().sha256());
    const auto settings = impl_->current();
    const auto pledge = settings->origin_of(told.peer.certificates, impl_->now()).pledge;
    const auto ids = pledge ? pledge->ids : RecordIds{digest, digest};
    const auto run = [settings, &events = impl_->events, event, digest, ids, text, enrolment,
                      done](store::Database& database, store::GroupCommit::After& after) -> Result<void> {
        Records records{database};
        ACMETOOL_TRY(by_idevid, records.device(ids));
        auto device = std::move(by_idevid);
        const bool by_new_certificate = !device && enrolment;
        if (by_new_certificate) {
            ACMETOOL_TRY(found, records.device_by_certificate(digest));
            device = std::move(found);
        }
        if (!device || settings->find(device->manufacturer) == nullptr) {
            after.push_back([done] {
                done(Refused{Cause::unknown_device, "this device asked for no voucher here"});
            });
            return {};
        }
        ACMETOOL_CHECK(enrolment ? records.set_enroll_status(device->id, text)
                                 : records.set_voucher_status(device->id, text));
        after.push_back(
            [done, &events, enrolment, by_new_certificate, event, serial = device->serial]() mutable {
                event["serial"] = base::printable(serial, 100);
                if (enrolment) event["certificateMatches"] = by_new_certificate;
                events.event(event);
                done(std::nullopt);
            });
        return {};
    };
    if (!impl_->commits->post({run, [done](const Error&) { done(store_refusal()); }})) done(store_refusal());
}

bool Registrar::is_device(const enrol::Peer& peer) const
{
    return impl_->current()->origin_of(peer.certificates, impl_->now()).manufacturer != nullptr;
}

void Registrar::object(const enrol::Peer& peer, std::function<void(std::optional<enrol::Refused>)> done) const
{
    const auto settings = impl_->current();
    const auto origin = settings->origin_of(peer.certificates, impl_->now());
    if (origin.manufacturer == nullptr) return done(std::nullopt);
    if (origin.objection) {
        auto refused = refusal_of_device(*origin.manufacturer, *origin.objection);
        const auto why = refused.cause == Cause::unavailable   ? enrol::Refusal::unavailable
                         : refused.cause == Cause::bad_request ? enrol::Refusal::forbidden
                                                               : enrol::Refusal::unauthenticated;
        return done(enrol::Refused{why, std::move(refused.text), refused.retry_after});
    }
    if (!peer.executor.expired()) done = base::bind(peer.executor, std::move(done));
    const auto& pledge = origin.pledge;
    const bool taken = impl_->worker.post(
        [impl = impl_.get(), ids = pledge->ids, manufacturer = pledge->identity.manufacturer, done] {
            done(objection_to(impl->reader.read([&ids](Records& records) { return records.device(ids); }),
                              manufacturer));
        });
    if (!taken) done(away());
}

void Registrar::enrolled(const enrol::Peer& peer, const crypto::Certificate& certificate)
{
    const auto settings = impl_->current(); // the pledge's manufacturer belongs to it
    const auto pledge = settings->origin_of(peer.certificates, impl_->now()).pledge;
    if (!pledge) return;
    impl_->commits->post({[ids = pledge->ids, digest = to_hex(certificate.sha256())](
                              store::Database& database, store::GroupCommit::After&) -> Result<void> {
                              Records records{database};
                              ACMETOOL_TRY(device, records.device(ids));
                              return device ? records.set_certificate(device->id, digest) : Result<void>{};
                          },
                          nullptr}); // nobody waits for it
}

Result<std::function<void()>> Registrar::prepare(const Options& options, brski::Signer signer)
{
    ACMETOOL_TRY(fresh, impl_->read(options, std::move(signer)));
    return [impl = impl_.get(), fresh] { impl->put_in_use(fresh); };
}

Json Registrar::status() const
{
    Json status{{"devices", Json::object()}};
    // Engine::status() says what is wrong with the store.
    static_cast<void>(impl_->reader.read([&status](Records& records) -> Result<void> {
        ACMETOOL_TRY(counts, records.count());
        auto& devices = status["devices"];
        for (const auto& [state, number] : counts.by_state)
            devices[std::string{name_of(state)}] = number;
        devices["enrolled"] = counts.enrolled;
        ACMETOOL_TRY(silent, records.waits_for_silent_masa());
        if (silent) status["silent"] = request_as_json(*silent);
        ACMETOOL_TRY(refused, records.last_refused());
        if (refused) status["refused"] = request_as_json(*refused);
        ACMETOOL_TRY(not_taken, records.last_not_taken());
        if (not_taken) status["notTaken"] = request_as_json(*not_taken);
        return {};
    }));
    return status;
}

} // namespace acmetool::registrar
