#include "brski-pledge/run.h"

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "acme/order_task.h"
#include "base/text.h"
#include "brski-pledge/discovery.h"
#include "common/est_session.h"
#include "crypto/key_type.h"
#include "enrol/device_label.h"
#include "est/journal.h"
#include "est/run.h"
#include "store/atomic_file.h"
#include "store/configured.h"

namespace acmetool::cli
{
namespace
{

std::string journal_of(const DeviceOptions& options)
{
    return options.journal.empty() ? options.key_out + ".journal" : options.journal;
}

/// Runs cacerts, csrattrs and enrolment over the open connection or with the EST server that the voucher
/// names.
Result<est::RunOutcome> enrol(const DeviceOptions& options, const brski::PledgeOptions& pledge,
                              http::Transport& transport, const std::string& origin, Io& io)
{
    est::RunOptions wishes;
    wishes.key = {options.new_key, options.key_out, std::nullopt};
    ACMETOOL_TRY(serial, enrol::device_serial(pledge.idevid.certificates.front()));
    wishes.filling.serial_number = serial;
    wishes.clock = pledge.clock;
    wishes.journal_file = journal_of(options);
    est::ClientOptions settings;
    settings.server.url = origin;
    settings.total_deadline = std::chrono::duration_cast<base::Milliseconds>(pledge.deadline);
    const auto server = settings.server;
    est::Client client{std::move(settings), transport, io.context()};
    if (!options.save_cacerts.empty())
        wishes.take_cas = CasKeeper{options.save_cacerts, client, io.context()};
    return est::run(client, wishes, server, io.context());
}

void warn(Io& io, const char* what, const Result<void>& told)
{
    if (!told) io.context().log(base::Level::warning, fmt::format("{}: {}", what, told.error().message));
}

/// The device's new certificate as its identity.
Result<http::TlsIdentity> new_identity(const DeviceOptions& options,
                                       const std::vector<crypto::Certificate>& chain)
{
    ACMETOOL_TRY(key_text, store::read_file(options.key_out));
    const base::Secret pem{std::move(key_text)};
    ACMETOOL_TRY(key, crypto::parse_private_key(pem.reveal(), options.key_out));
    return http::TlsIdentity{chain, key};
}

std::unique_ptr<http::Transport> verified(const http::ServerTrust& trust, const http::TlsIdentity& identity,
                                          base::Context& context)
{
    http::TlsClientOptions tls;
    tls.identity = identity;
    tls.trust = trust;
    return std::make_unique<http::TlsClient>(tls, context);
}

/// Where the device enrols: with its registrar on the open connection, or with the EST server that the
/// voucher names.
struct Place {
    std::string origin;
    http::Transport* transport = nullptr;
    std::unique_ptr<http::Transport> own; ///< owns `transport` if it leads to an EST server
    std::optional<http::ServerTrust> trust;
};

Result<Place> enrolment_place(const brski::VoucherReply& reply, const brski::VoucherVerdict& verdict,
                              const brski::PledgeOptions& pledge, Io& io)
{
    if (verdict.voucher->est_domain.empty()) {
        reply.transport->accept();
        return Place{reply.origin, reply.transport.get(), nullptr, {}};
    }
    ACMETOOL_TRY(service, brski::est_service(*verdict.voucher, *verdict.pinned));
    service.trust.clock = pledge.clock;
    auto own = verified(service.trust, pledge.idevid, io.context());
    ACMETOOL_CHECK(own->connect(service.origin));
    auto* const transport = own.get();
    return Place{service.origin, transport, std::move(own), service.trust};
}

/// RFC 8995 section 5.9.4: success over a new session with the new certificate, failure over the old one.
Result<void> tell_enrolled(const DeviceOptions& options, const brski::VoucherReply& reply, const Place& place,
                           const std::vector<crypto::Certificate>& chain, Io& io)
{
    ACMETOOL_TRY(identity, new_identity(options, chain));
    const auto fresh = place.trust ? verified(*place.trust, identity, io.context())
                                   : provisional(identity, io.context(), &reply.registrar.front());
    return brski::send_status(*fresh, place.origin, "enrollstatus", {true, "", ""}, io.context());
}

Result<void> check_place(const DeviceOptions& options)
{
    if (options.discover && (!options.registrar.empty() || !options.cloud.empty()))
        return fail(Errc::usage, "--discover cannot be combined with --registrar or --cloud");
    if (!options.discover && (!options.interfaces.empty() || !options.domain.empty()))
        return fail(Errc::usage, "--interface and --domain require --discover");
    if (options.discover) return {};
    return place_of(options).map([](const std::string&) {});
}

Result<Vouched> get_voucher(const DeviceOptions& options, const brski::PledgeOptions& pledge, Io& io)
{
    if (options.discover) return voucher_by_discovery(options, pledge, io);
    ACMETOOL_TRY(place, place_of(options));
    return voucher_from(place, pledge, io);
}

} // namespace

Result<void> run_pledge(const DeviceOptions& options, Io& io)
{
    if (options.new_key != "auto") ACMETOOL_CHECK(crypto::check_key_type(options.new_key));
    ACMETOOL_TRY(pledge, pledge_options(options, io));
    ACMETOOL_TRY(manufacturer, read_manufacturer(options));
    pledge.manufacturer = manufacturer;
    ACMETOOL_TRY(crls, store::read_crl_files(options.crl, "--crl"));
    pledge.crls = std::move(crls);
    ACMETOOL_CHECK(check_place(options));
    if (options.key_out.empty())
        return fail(Errc::usage, "run requires --key-out", "give the file for the new key", "noKey");
    ACMETOOL_TRY(vouched, get_voucher(options, pledge, io));
    const auto& [reply, verdict] = vouched;
    // A cloud registrar gets its report after the EST server was tried (draft-ietf-anima-brski-cloud).
    auto place = enrolment_place(reply, verdict, pledge, io);
    warn(io, "voucher_status",
         brski::send_status(*reply.transport, reply.origin, "voucher_status",
                            {place.has_value(), place ? "" : "voucher not accepted", ""}, io.context()));
    if (!place) return fail(std::move(place).error());
    if (!options.save_voucher.empty())
        ACMETOOL_CHECK(store::write_output(options.save_voucher, as_text(reply.voucher), 0644, io.context()));

    auto outcome = enrol(options, pledge, *place->transport, place->origin, io);
    if (!outcome) {
        warn(io, "enrollstatus",
             brski::send_status(*place->transport, place->origin, "enrollstatus",
                                {false, "enrolment failed", ""}, io.context()));
        return fail(std::move(outcome).error());
    }
    if (outcome->enrolment.pending) {
        io.defer({"the certificate is not available yet", outcome->enrolment.retry_after,
                  outcome->enrolment.url, est::csr_sha256(outcome->enrolment.csr)});
        return {};
    }
    warn(io, "enrollstatus", tell_enrolled(options, reply, *place, outcome->chain, io));
    const auto pem = crypto::to_pem(outcome->chain);
    if (io.json())
        ACMETOOL_CHECK(io.write_document("certificate", acme::certificate_document(outcome->chain)));
    else
        ACMETOOL_CHECK(io.write(pem));
    est::remove_journal(journal_of(options));
    return {};
}

} // namespace acmetool::cli
