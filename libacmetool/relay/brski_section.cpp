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
    section.duration("wait", brski.wait, "how long a request may wait for its voucher before 202");
    section.duration("retry_after", brski.retry_after, "told with 202");
    section.duration("masa_timeout", brski.masa_timeout, "time for a MASA to answer");
    section.duration("give_up", brski.give_up, "a MASA that does not answer is asked again until then");
    section.choice("audit_log", audit_log, {"required", "off"},
                   "ask the MASA for a device's audit log, and refuse the device if it is not good");
    section.list("known_domains", brski.known_domains, "domainIDs of earlier owners that are taken");
    section.flag("other_domains", brski.other_domains, "take devices that other domains had vouchers for");
    section.flag("nonceless", brski.nonceless, "take devices that nonceless vouchers were issued for");
    if (config.teap && !config.serves_est && !section.has("wait")) brski.wait = config.teap->hold;
    brski.audit_log = audit_log == "required";
    section.finish();
}

void read_manufacturer(Section section, Config& config)
{
    registrar::ManufacturerOptions manufacturer;
    section.text("name", manufacturer.name, "what the manufacturer is called in the log");
    section.files("trust", manufacturer.trust, "PEM files of the CAs of its IDevIDs; they need a voucher");
    section.list("serial_from", manufacturer.serial_from,
                 "fields of its IDevIDs with the serial number, the first that is there counting; default: "
                 "serialNumber");
    for (const auto& field : manufacturer.serial_from)
        if (const auto good = enrol::check_serial_field(field); !good)
            section.refuse("serial_from", good.error().message);
    section.list("masa_hosts", manufacturer.masa_hosts,
                 "HOST or HOST:PORT of MASAs that its IDevIDs may name");
    section.text("masa_url", manufacturer.masa_url, "ask this MASA instead of the one that an IDevID names");
    section.file("masa_ca", manufacturer.masa_ca,
                 "PEM anchors for the MASA's TLS server; default: the system's");
    section.file("masa_certificate", manufacturer.masa_certificate,
                 "client certificate (PEM) for MASAs that require one");
    section.file("masa_key", manufacturer.masa_key,
                 "its key, PEM; default: masa_certificate with .key in place of .pem");
    if (manufacturer.masa_key.empty() && !manufacturer.masa_certificate.empty())
        manufacturer.masa_key =
            std::filesystem::path{manufacturer.masa_certificate}.replace_extension(".key").string();
    section.file("masa_credentials", manufacturer.masa_credentials,
                 "file with user:password for MASAs that ask for HTTP Basic or Digest");
    section.flag("private_addresses", manufacturer.private_addresses,
                 "the MASA may have an address of a private network or of this host");
    section.require("name", !manufacturer.name.empty());
    section.require("trust", !manufacturer.trust.empty());
    section.require("masa_hosts", !manufacturer.masa_hosts.empty() || !manufacturer.masa_url.empty());
    auto& others = config.brski.manufacturers;
    if (std::any_of(others.begin(), others.end(),
                    [&](const auto& other) { return other.name == manufacturer.name; }))
        section.refuse("name", "there are two manufacturers of this name");
    section.finish();
    if (!manufacturer.serial_from.empty())
        config.ra.idevid.serial_rules.push_back({manufacturer.trust, manufacturer.serial_from});
    config.brski.manufacturers.push_back(std::move(manufacturer));
}

} // namespace

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
}

} // namespace acmetool::relay
