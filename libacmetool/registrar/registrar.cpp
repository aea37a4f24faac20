#include "registrar/registrar.h"

#include <algorithm>
#include <array>
#include <mutex>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "base/time.h"
#include "brski/checks.h"
#include "brski/idevid.h"
#include "brski/status.h"
#include "crypto/anchor_store.h"
#include "crypto/digest.h"
#include "crypto/path.h"
#include "enrol/device_label.h"
#include "http/text_response.h"
#include "http/tls_client.h"
#include "http/url.h"
#include "registrar/masa.h"
#include "registrar/masa_login.h"
#include "store/configured.h"

namespace acmetool::registrar
{
namespace
{

using base::Json;
using http::text_response;

std::string sha256_hex(ByteView octets)
{
    return to_hex(crypto::sha256(octets));
}

Result<std::vector<crypto::Certificate>> read_anchors(const std::vector<std::string>& files)
{
    std::vector<crypto::Certificate> anchors;
    for (const auto& file : files) {
        ACMETOOL_TRY(certificates, store::read_configured_certificates(file));
        anchors.insert(anchors.end(), certificates.begin(), certificates.end());
    }
    return anchors;
}

/// One manufacturer, its files read.
struct Manufacturer {
    ManufacturerOptions options;
    crypto::AnchorStore anchors;
    std::shared_ptr<MasaClient> masa;
};
using Manufacturers = std::vector<std::shared_ptr<const Manufacturer>>;

/// The MASA of a device: the configured one, or the one that its IDevID names if it may be asked.
Result<std::string> masa_of(const Manufacturer& manufacturer, const crypto::Certificate& idevid)
{
    const auto& options = manufacturer.options;
    if (!options.masa_url.empty()) return brski::parse_masa_url(options.masa_url);
    ACMETOOL_TRY(named, brski::masa_url(idevid));
    if (!named)
        return fail(Errc::refused, "the IDevID names no MASA, and none is configured",
                    "set masa_url for this manufacturer", "masaUrl");
    ACMETOOL_CHECK(may_ask(options, *named));
    return *named;
}

/// What the registration authority refuses, as RFC 8995 section 5.6 has it.
http::ServerResponse reply_of(const enrol::Refused& refused)
{
    const bool later = refused.why == enrol::Refusal::unavailable;
    auto response = text_response(later                                            ? 503
                                  : refused.why == enrol::Refusal::unauthenticated ? 404
                                                                                   : 403,
                                  refused.text);
    if (later && refused.retry_after)
        response.headers.emplace_back("Retry-After", std::to_string(refused.retry_after->count()));
    return response;
}

} // namespace

struct Registrar::Impl {
    enrol::RegistrationAuthority& authority;
    enrol::EventSink& events;
    const std::string store_file;
    mutable std::mutex mutex; ///< of both below
    Manufacturers manufacturers;
    brski::Signer signer;

    Impl(enrol::RegistrationAuthority& behind, enrol::EventSink& sink, std::string file, brski::Signer own)
        : authority(behind), events(sink), store_file(std::move(file)), signer(std::move(own))
    {
    }
    std::shared_ptr<const Manufacturer> manufacturer_of(const std::vector<crypto::Certificate>& chain) const;
    brski::Signer own() const
    {
        const std::lock_guard lock{mutex};
        return signer;
    }
    Manufacturers all() const
    {
        const std::lock_guard lock{mutex};
        return manufacturers;
    }
    Result<Manufacturers> read(const Options& options, const brski::Signer& own_signer) const;
    void request_voucher(http::ServerRequest request, http::Responder respond);
    void begin(const http::ServerRequest& request, const Manufacturer& manufacturer,
               const brski::Envelope& envelope, const std::string& accept, http::Responder respond);
    void take_status(const http::ServerRequest& request, bool enrolment, http::Responder respond);
    Result<Record> new_record(const Manufacturer& manufacturer, const crypto::Certificate& idevid,
                              const brski::VoucherRequest& request, const brski::Envelope& envelope) const;
};

std::shared_ptr<const Manufacturer>
Registrar::Impl::manufacturer_of(const std::vector<crypto::Certificate>& chain) const
{
    if (chain.empty()) return nullptr;
    for (const auto& one : all())
        if (one->anchors.verify(chain, crypto::PathPolicy::idevid(base::now()))) return one;
    return nullptr;
}

/// The files of these manufacturers. Of those that are there already, devices and thread stay.
Result<Manufacturers> Registrar::Impl::read(const Options& options, const brski::Signer& own_signer) const
{
    const auto present = all();
    Manufacturers fresh;
    for (const auto& one : options.manufacturers) {
        ACMETOOL_TRY(anchors, read_anchors(one.trust));
        if (!one.masa_ca.empty()) ACMETOOL_CHECK(read_anchors({one.masa_ca}));
        if (!one.masa_certificate.empty())
            ACMETOOL_CHECK(http::load_identity(one.masa_certificate, one.masa_key, ""));
        if (!one.masa_credentials.empty()) ACMETOOL_CHECK(read_masa_credentials(one.masa_credentials));
        const auto known = std::find_if(present.begin(), present.end(),
                                        [&](const auto& before) { return before->options.name == one.name; });
        std::shared_ptr<MasaClient> masa;
        if (known != present.end()) {
            masa = (*known)->masa;
        } else {
            ACMETOOL_TRY(opened, MasaClient::open(options, one, store_file, own_signer.chain, events));
            masa = std::move(opened);
        }
        fresh.push_back(std::make_shared<const Manufacturer>(
            Manufacturer{one, crypto::AnchorStore{anchors}, std::move(masa)}));
    }
    return fresh;
}

Result<Record> Registrar::Impl::new_record(const Manufacturer& manufacturer,
                                           const crypto::Certificate& idevid,
                                           const brski::VoucherRequest& request,
                                           const brski::Envelope& envelope) const
{
    Record record;
    record.id = to_hex(idevid.sha256());
    // RFC 8995 section 5.5: from the authenticated certificate, never from the request.
    ACMETOOL_TRY(serial, enrol::device_serial(idevid, manufacturer.options.serial_from));
    record.serial = serial;
    record.manufacturer = manufacturer.options.name;
    record.request_digest = sha256_hex(envelope.octets);
    record.media_type = brski::media_type(envelope.format);
    record.nonce = request.nonce;
    record.since = base::now();
    ACMETOOL_TRY(url, masa_of(manufacturer, idevid));
    record.masa_url = url;
    brski::VoucherRequest ours;
    ours.assertion = request.assertion;
    ours.serial_number = serial;
    ours.nonce = request.nonce;
    ours.created_on = base::now();
    ours.idevid_issuer = brski::idevid_issuer(idevid);
    ours.prior_signed_voucher_request = envelope.octets;
    ACMETOOL_TRY(sealed, brski::seal(brski::to_json(ours), envelope.format, own()));
    record.registrar_request = sealed;
    return record;
}

void Registrar::Impl::begin(const http::ServerRequest& request, const Manufacturer& manufacturer,
                            const brski::Envelope& envelope, const std::string& accept,
                            http::Responder respond)
{
    const auto& idevid = request.tls->certificates.front();
    const auto chain = own().chain;
    const auto verdict =
        brski::check_pledge_request(envelope, {idevid, chain.front(), manufacturer.options.serial_from});
    if (!verdict.report.good()) {
        const auto error = verdict.report.error("voucher-request");
        events.event({{"event", "brski"},
                      {"level", "warning"},
                      {"address", request.peer},
                      {"client", base::printable(idevid.subject())},
                      {"text", error.message}});
        // RFC 8995 section 5.2: "If these do not match, [...] the connection is closed", 401 before that.
        auto response =
            text_response(error.reason == Cause::proximity_registrar_cert ? 401 : 403, error.message);
        if (error.reason == Cause::proximity_registrar_cert)
            response.headers.emplace_back("Connection", "close");
        respond(std::move(response));
        return;
    }
    // The same request again joins what is under way: nothing is signed anew.
    if (auto known = manufacturer.masa->find(to_hex(idevid.sha256()));
        known && known->request_digest == sha256_hex(envelope.octets)) {
        manufacturer.masa->ask(std::move(*known), chain, std::move(respond));
        return;
    }
    auto record = new_record(manufacturer, idevid, *verdict.request, envelope);
    if (!record) {
        events.event({{"event", "brski"}, {"level", "warning"}, {"text", record.error().message}});
        respond(text_response(record.error().code == Errc::config ? 500 : 403, record.error().message));
        return;
    }
    record->accept = accept;
    manufacturer.masa->ask(std::move(*record), chain, std::move(respond));
}

void Registrar::Impl::request_voucher(http::ServerRequest request, http::Responder respond)
{
    const auto type = brski::format_of(http::find(request.headers, "content-type").value_or(""));
    if (!type)
        return respond(text_response(415, "a voucher-request is application/voucher-cms+json or -jws+json"));
    const auto accept = std::string{http::find(request.headers, "accept").value_or("")};
    const auto wanted = brski::choose_format(accept, *type);
    if (!wanted) return respond(text_response(406, "vouchers are application/voucher-cms+json or -jws+json"));
    if (!request.tls || request.tls->certificates.empty())
        return respond(text_response(403, "show the device's IDevID in the TLS handshake"));
    const auto manufacturer = manufacturer_of(request.tls->certificates);
    if (!manufacturer) return respond(text_response(404, "devices of this manufacturer are not known here"));
    auto envelope = brski::parse_envelope(as_bytes(request.body), *type);
    if (!envelope) return respond(text_response(400, envelope.error().message));

    enrol::Peer peer;
    peer.certificates = request.tls->certificates;
    peer.address = request.peer;
    // Whether the device is welcome is the registration authority's matter: inventory, blocked, revoked.
    authority.csr_attributes(std::move(peer), "",
                             [this, request = std::make_shared<http::ServerRequest>(std::move(request)),
                              manufacturer, envelope = std::move(*envelope),
                              accept = accept.empty() ? std::string{brski::media_type(*wanted)} : accept,
                              respond = std::move(respond)](const enrol::AttributesDecision& decision) {
                                 if (const auto* refused = std::get_if<enrol::Refused>(&decision))
                                     return respond(reply_of(*refused));
                                 begin(*request, *manufacturer, envelope, accept, respond);
                             });
}

/// RFC 8995 sections 5.7 and 5.9.4: taken, logged, answered 200.
void Registrar::Impl::take_status(const http::ServerRequest& request, bool enrolment, http::Responder respond)
{
    if (!brski::is_status_type(http::find(request.headers, "content-type").value_or("")))
        return respond(text_response(415, "a status message is application/json"));
    if (!request.tls || request.tls->certificates.empty())
        return respond(text_response(403, "show the device's certificate in the TLS handshake"));
    std::string unknown;
    const auto status = brski::parse_status(request.body, &unknown);
    if (!status) return respond(text_response(400, status.error().message));
    const auto digest = to_hex(request.tls->certificates.front().sha256());
    std::shared_ptr<MasaClient> owner;
    std::optional<Record> record;
    bool by_new_certificate = false;
    for (const auto& one : all()) {
        owner = one->masa;
        record = owner->find(digest);
        if (!record && enrolment) {
            record = owner->find_by_certificate(digest);
            by_new_certificate = record.has_value();
        }
        if (record) break;
    }
    if (!record) return respond(text_response(404, "this device asked for no voucher here"));
    const auto told = fmt::format("{}{}{}", status->status ? "success" : "failure",
                                  status->reason.empty() ? "" : ": ", status->reason);
    Json event{{"event", enrolment ? "enrollstatus" : "voucher_status"},
               {"serial", base::printable(record->serial, 100)},
               {"text", told},
               {"level", status->status ? "info" : "warning"}};
    if (enrolment) event["certificateMatches"] = by_new_certificate;
    if (!unknown.empty()) event["unknown"] = base::printable(unknown);
    events.event(event);
    owner->change(record->id,
                  [enrolment, told](Record& changed) {
                      (enrolment ? changed.enroll_status : changed.voucher_status) = told;
                  },
                  std::move(respond), {200, {}, "", false});
}

Registrar::Registrar(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Registrar::~Registrar() = default;

Result<std::unique_ptr<Registrar>> Registrar::open(const Options& options, const std::string& store_file,
                                                   brski::Signer signer,
                                                   enrol::RegistrationAuthority& authority,
                                                   enrol::EventSink& events)
{
    auto impl = std::make_unique<Impl>(authority, events, store_file, std::move(signer));
    ACMETOOL_TRY(manufacturers, impl->read(options, impl->signer));
    impl->manufacturers = std::move(manufacturers);
    return std::unique_ptr<Registrar>{new Registrar(std::move(impl))};
}

bool Registrar::is_target(std::string_view target)
{
    return target.starts_with(brski::well_known(""));
}

void Registrar::handle(http::ServerRequest request, http::Responder respond)
{
    if (impl_->all().empty()) return respond(text_response(404, "no device needs a voucher here"));
    auto target = std::string_view{request.target}.substr(0, request.target.find('?'));
    target.remove_prefix(std::min(target.size(), brski::kWellKnown.size() + 1));
    const bool voucher = target == "requestvoucher";
    if (!voucher && target != "voucher_status" && target != "enrollstatus")
        return respond(text_response(404, "here are requestvoucher, voucher_status and enrollstatus"));
    if (request.method != "POST") {
        auto response = text_response(405, "POST it");
        response.headers.emplace_back("Allow", "POST");
        return respond(std::move(response));
    }
    if (voucher) return impl_->request_voucher(std::move(request), std::move(respond));
    impl_->take_status(request, target == "enrollstatus", std::move(respond));
}

bool Registrar::is_device(const enrol::Peer& peer) const
{
    return impl_->manufacturer_of(peer.certificates) != nullptr;
}

std::optional<enrol::Refused> Registrar::objection(const enrol::Peer& peer) const
{
    const auto manufacturer = impl_->manufacturer_of(peer.certificates);
    if (!manufacturer) return std::nullopt;
    const auto record = manufacturer->masa->find(to_hex(peer.certificates.front().sha256()));
    enrol::Refused refused{enrol::Refusal::forbidden, {}, {}};
    if (!record)
        refused.text = "no voucher was forwarded to this device: it has to ask for one first";
    else if (record->state == State::refused)
        refused.text = "this device got no voucher: " + record->reason;
    else if (record->state != State::forwarded)
        refused.text = "this device's voucher is still on its way: it has to ask for it again";
    else if (record->voucher_status.starts_with("failure"))
        refused.text = "this device said that its voucher is not good";
    else
        return std::nullopt;
    return refused;
}

void Registrar::enrolled(const enrol::Peer& peer, const crypto::Certificate& certificate)
{
    const auto manufacturer = impl_->manufacturer_of(peer.certificates);
    if (!manufacturer) return;
    manufacturer->masa->change(
        to_hex(peer.certificates.front().sha256()),
        [digest = to_hex(certificate.sha256())](Record& record) { record.certificate = digest; },
        [](const http::ServerResponse&) {}, {});
}

Result<std::function<void()>> Registrar::prepare(const Options& options, brski::Signer signer)
{
    ACMETOOL_TRY(fresh, impl_->read(options, signer));
    return [this, options, fresh = std::move(fresh), signer = std::move(signer)] {
        for (const auto& one : fresh)
            one->masa->use(options, one->options);
        // Those that are gone end with the last request to them, outside of the lock.
        auto before = impl_->all();
        const std::lock_guard lock{impl_->mutex};
        impl_->manufacturers = fresh;
        // Requests under way still need one after the last manufacturer went.
        if (!fresh.empty()) impl_->signer = signer;
    };
}

base::Json Registrar::status() const
{
    Json devices = Json::array();
    for (const auto& manufacturer : impl_->all())
        for (const auto& record : manufacturer->masa->all()) {
            Json device{{"serial", base::printable(record.serial, 100)},
                        {"manufacturer", record.manufacturer},
                        {"state", record.certificate.empty() ? name_of(record.state) : "enrolled"},
                        {"since", base::to_rfc3339(record.since)},
                        {"masa", record.masa_url}};
            const auto add = [&device](const char* name, const std::string& value) {
                if (!value.empty()) device[name] = value;
            };
            add("reason", record.reason);
            add("voucherStatus", record.voucher_status);
            add("enrollStatus", record.enroll_status);
            devices.push_back(std::move(device));
        }
    return Json{{"devices", devices}};
}

} // namespace acmetool::registrar
