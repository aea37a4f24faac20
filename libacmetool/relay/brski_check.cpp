#include <algorithm>

#include "base/text.h"
#include "brski/idevid.h"
#include "crypto/extension.h"
#include "crypto/oids.h"
#include "crypto/path.h"
#include "http/multi_client.h"
#include "http/tls_client.h"
#include "registrar/masa_settings.h"
#include "relay/findings.h"
#include "store/certified_key.h"

namespace acmetool::relay
{
namespace
{

using Certificates = std::vector<crypto::Certificate>;

Certificates read(Findings& findings, const std::string& subject, const std::string& file)
{
    auto certificates = store::read_certificates(file);
    if (certificates) return std::move(*certificates);
    bad(findings, subject, certificates.error());
    return {};
}

/// RFC 8995 sections 5.5 and 5.8.2: what the registrar's certificate needs for a MASA and its log.
void check_registrar(Findings& findings, const Config& config)
{
    const auto chain = store::read_certificates(config.http.certificate_file);
    if (!chain) return; // said of [tls] already
    const auto& own = chain->front();
    if (!crypto::has_extended_key_usage(own, crypto::kCmcRaPurpose)) {
        findings.push_back({Verdict::fail, "brski", "the certificate in [tls] has no id-kp-cmcRA",
                            "obtain one with extendedKeyUsage serverAuth and 1.3.6.1.5.5.7.3.28"});
        return;
    }
    ok(findings, "brski", "the certificate in [tls] is that of a registrar (id-kp-cmcRA)");
    if (!crypto::extension_value(own, crypto::oid::kSubjectKeyIdentifier))
        warn(findings, "brski", "the certificate in [tls] has no subjectKeyIdentifier",
             "MASAs use it to name a domain in their logs");
}

/// Each MASA that may be used: "HOST[:PORT]" or a URL.
std::vector<std::string> masas_of(const registrar::ManufacturerOptions& manufacturer)
{
    if (!manufacturer.masa_url.empty()) return {manufacturer.masa_url};
    return manufacturer.masa_hosts;
}

void check_manufacturer(Findings& findings, const registrar::ManufacturerOptions& manufacturer,
                        const Certificates& clients, base::TimePoint now)
{
    const auto subject = "manufacturer " + base::printable(manufacturer.name, 60);
    for (const auto& file : manufacturer.trust)
        for (const auto& anchor : read(findings, subject, file)) {
            check_end(findings, subject, fmt::format("devices of {}", anchor.subject()), anchor.not_after(),
                      now, "ask the manufacturer for the next CA certificate");
            const bool known = std::any_of(clients.begin(), clients.end(),
                                           [&](const auto& one) { return one.sha256() == anchor.sha256(); });
            if (!known)
                findings.push_back({Verdict::fail, subject,
                                    fmt::format("{} is not in trust of [clients.idevid]", anchor.subject()),
                                    "its devices are refused before a voucher is requested"});
        }
    if (!manufacturer.masa_ca.empty())
        for (const auto& anchor : read(findings, subject, manufacturer.masa_ca))
            check_end(findings, subject, fmt::format("MASA with root {}", anchor.subject()),
                      anchor.not_after(), now, "ask the manufacturer for the next anchor of its MASA");
    if (!manufacturer.masa_certificate.empty()) {
        const auto shown = http::load_identity(manufacturer.masa_certificate, manufacturer.masa_key, "");
        if (!shown)
            bad(findings, subject, shown.error());
        else
            check_end(findings, subject, "certificate for the MASA", shown->certificates.front().not_after(),
                      now, "obtain the next one, then send SIGHUP");
    }
    for (const auto& masa : masas_of(manufacturer))
        if (const auto url = brski::parse_masa_url(masa); !url) bad(findings, subject, url.error());
    if (manufacturer.private_addresses)
        warn(findings, subject, "its MASA may have an address of a private network or of this host",
             "only set private_addresses for labs and for your own MASA");
}

} // namespace

void check_brski(Findings& findings, const Config& config, base::TimePoint now)
{
    const auto& brski = config.brski;
    if (brski.manufacturers.empty()) return;
    check_registrar(findings, config);
    Certificates clients;
    auto files = config.ra.idevid.trust;
    for (const auto& one : config.ra.idevid.manufacturers)
        if (one.trusted) files.insert(files.end(), one.trust.begin(), one.trust.end());
    for (const auto& file : files) {
        const auto parsed = store::read_certificates(file);
        if (parsed) clients.insert(clients.end(), parsed->begin(), parsed->end());
    }
    for (const auto& manufacturer : brski.manufacturers)
        check_manufacturer(findings, manufacturer, clients, now);
    if (!brski.audit_log)
        warn(findings, "brski", "audit logs are not requested: an earlier owner is not detected",
             "set audit_log to \"required\"");
    else if (brski.other_domains)
        warn(findings, "brski", "devices are accepted even if other domains had vouchers for them",
             "list the earlier owners in known_domains instead");
    if (brski.nonceless)
        warn(findings, "brski", "nonceless vouchers are accepted, which can be used repeatedly",
             "set nonceless to false if the devices do not need it");
}

void ask_masas(Findings& findings, const Config& config, base::Context& context)
{
    const auto curl = http::curl_library();
    if (!curl) {
        if (!config.brski.manufacturers.empty()) bad(findings, "brski", curl.error());
        return;
    }
    for (const auto& manufacturer : config.brski.manufacturers) {
        const auto subject = "manufacturer " + base::printable(manufacturer.name, 60);
        http::MultiClient client{**curl, registrar::masa_http(config.brski, manufacturer), 1,
                                 !manufacturer.private_addresses};
        for (const auto& masa : masas_of(manufacturer)) {
            const auto url = brski::parse_masa_url(masa);
            if (!url) continue; // said by check_brski
            client.send({http::Method::get, *url + "/requestvoucher", {}, {}},
                        [&findings, &subject, masa = *url](const Result<http::Response>& reply) {
                            if (reply)
                                ok(findings, subject, fmt::format("{} answers", masa));
                            else
                                bad(findings, subject, with_context(reply.error(), masa));
                        });
        }
        while (client.size() > 0 && !context.interrupted())
            client.run(base::Milliseconds{200});
    }
}

} // namespace acmetool::relay
