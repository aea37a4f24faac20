#include "relay/brski_section.h"

#include <algorithm>
#include <filesystem>

#include "enrol/device_label.h"

namespace acmetool::relay
{
namespace
{

void read_settings(Section section, Config& config)
{
    auto& brski = config.brski;
    std::string audit_log = "required";
    section.duration("wait", brski.wait,
                     "longest wait of a request over EST for its voucher before it is answered with 202");
    section.duration("retry_after", brski.retry_after, "Retry-After of 202 answers");
    section.duration("masa_timeout", brski.masa_timeout, "longest wait for an answer of a MASA");
    section.duration("give_up", brski.give_up,
                     "time after which requests to an unavailable MASA are given up");
    section.choice(
        "audit_log", audit_log, {"required", "off"},
        "request a device's audit log from its MASA and refuse the device if the log is not acceptable");
    section.list("known_domains", brski.known_domains, "domainIDs of earlier owners that are accepted");
    section.flag("other_domains", brski.other_domains, "accept devices for which other domains had vouchers");
    section.flag("nonceless", brski.nonceless, "accept devices for which nonceless vouchers were issued");
    brski.audit_log = audit_log == "required";
    section.finish();
}

void read_manufacturer(Section section, Config& config)
{
    registrar::ManufacturerOptions manufacturer;
    section.text("name", manufacturer.name, "name of the manufacturer in the log, the inventory and rules");
    section.files("trust", manufacturer.trust, "trust anchors (PEM) of its IDevIDs, which require a voucher");
    manufacturer.crl.stale = config.ra.idevid.crl.stale;
    section.crl(manufacturer.crl,
                "CRLs of these CAs, files or http(s) URLs; default: those of [clients.idevid]");
    section.list("serial_from", manufacturer.serial_from,
                 "fields of its IDevIDs with the serial number, of which the first present is used; default: "
                 "serialNumber");
    refuse_unknown_fields(section, manufacturer.serial_from);
    section.duration("grace", manufacturer.grace, "accept its IDevIDs this long after they expired");
    section.list("masa_hosts", manufacturer.masa_hosts,
                 "HOST or HOST:PORT of MASAs that its IDevIDs may name");
    section.text("masa_url", manufacturer.masa_url, "use this MASA instead of the one named in the IDevID");
    section.file("masa_ca", manufacturer.masa_ca,
                 "trust anchors (PEM) for the MASA's TLS server; default: the system's");
    section.file("masa_certificate", manufacturer.masa_certificate,
                 "client certificate (PEM) for MASAs that require one");
    section.key_of("masa_certificate", "masa_key", manufacturer.masa_key,
                   "private key of masa_certificate, PEM; default: that file name with .key instead of .pem");
    section.file("masa_credentials", manufacturer.masa_credentials,
                 "file with user:password for MASAs that require HTTP Basic or Digest");
    section.flag("private_addresses", manufacturer.private_addresses,
                 "allow addresses of private networks and of this host for the MASA");
    section.require("name", !manufacturer.name.empty());
    if (manufacturer.name.find_first_of("@,=") != std::string::npos)
        section.refuse("name", "must not contain \"@\", \",\" or \"=\"");
    section.require("trust", !manufacturer.trust.empty());
    section.require("masa_hosts", !manufacturer.masa_hosts.empty() || !manufacturer.masa_url.empty());
    auto& others = config.brski.manufacturers;
    if (std::any_of(others.begin(), others.end(),
                    [&](const auto& other) { return other.name == manufacturer.name; }))
        section.refuse("name", "another manufacturer has the same name");
    section.finish();
    config.ra.idevid.manufacturers.push_back(
        {manufacturer.name, manufacturer.trust, manufacturer.serial_from, false, manufacturer.grace});
    config.brski.manufacturers.push_back(std::move(manufacturer));
}

/// The registration authority accepts the devices of every manufacturer, so its CRLs are those of all.
void share_crls(Config& config)
{
    auto& trusted = config.brski.device_trust;
    trusted = config.ra.idevid.trust;
    for (const auto& one : config.ra.idevid.manufacturers)
        if (one.trusted) trusted.insert(trusted.end(), one.trust.begin(), one.trust.end());
    const auto common = config.ra.idevid.crl;
    if (common.sources.empty()) return;
    auto& all = config.ra.idevid.crl.sources;
    for (auto& manufacturer : config.brski.manufacturers) {
        const auto& own = manufacturer.crl.sources;
        all.insert(all.end(), own.begin(), own.end());
        if (own.empty()) manufacturer.crl.sources = common.sources;
    }
}

} // namespace

void refuse_unknown_fields(Section& section, const std::vector<std::string>& fields)
{
    for (const auto& field : fields)
        if (const auto good = enrol::check_serial_field(field); !good)
            section.refuse("serial_from", good.error().message);
}

void read_brski(const toml::table& root, Reading& reading, Config& config)
{
    read_settings(Section{reading, "brski", root.at_path("brski").as_table()}, config);
    if (reading.help != nullptr) {
        read_manufacturer(Section{reading, "[manufacturer]", nullptr}, config);
        return;
    }
    if (const auto* manufacturers = root["manufacturer"].as_array())
        for (const auto& node : *manufacturers)
            read_manufacturer(Section{reading, "[manufacturer]", node.as_table()}, config);
    share_crls(config);
}

} // namespace acmetool::relay
