// est-relay: EST registration authority in front of an ACME server (RFC 7030, RFC 8555, RFC 9444).
#include <algorithm>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/program.h"
#include "enrol/identity.h"
#include "ra/exclusion.h"
#include "relay/daemon.h"
#include "relay/known_devices.h"
#include "relay/relay_program.h"

using namespace acmetool;

namespace
{

struct Options : cli::RelayOptions {
    std::vector<std::string> serials;
    std::vector<std::string> devices;
};

Result<void> revoke(const Options& options, cli::Io& io)
{
    ACMETOOL_TRY(config, relay::load_config(options.config));
    ACMETOOL_TRY(revoked, ra::revoke_in(config.ra.store, options.serials, io.context().now()));
    base::Json certificates = base::Json::array();
    std::string text;
    for (const auto& one : revoked) {
        base::Json certificate{{"serial", one.serial}};
        if (!one.device.empty()) certificate["device"] = one.device;
        certificates.push_back(certificate);
        if (one.device.empty())
            io.context().log(base::Level::warning,
                             one.serial + ": this relay issued no certificate with this serial number");
        text += fmt::format("{} revoked{}\n", one.serial,
                            one.device.empty() ? "" : ": issued to " + base::printable(one.device, 200));
    }
    if (io.json()) return io.write_document("exclusion", {{"revoked", certificates}});
    return io.write(text);
}

/// A mistyped name must not look like success. The issuer's name in an identifier of an earlier version has
/// an "=".
Result<void> check_device(const std::string& device, const ra::IdevidOptions& idevid)
{
    const auto parts = enrol::parse_qualified_serial(device);
    if (!parts || enrol::is_anchor_digest(parts->whose) || parts->whose.find('=') != std::string::npos ||
        std::any_of(idevid.manufacturers.begin(), idevid.manufacturers.end(),
                    [&](const auto& one) { return one.name == parts->whose; }))
        return {};
    return fail(Errc::bad_input,
                fmt::format("{}: no manufacturer has the name {}", base::printable(device, 200),
                            base::printable(parts->whose, 60)),
                "names are those in [clients.idevid.NAME] and [[manufacturer]]; write an \"@\" in a serial "
                "number as %40",
                "badDevice");
}

Result<void> block(const Options& options, ra::Blocking what, cli::Io& io)
{
    ACMETOOL_TRY(config, relay::load_config(options.config));
    for (const auto& device : options.devices)
        ACMETOOL_CHECK(check_device(device, config.ra.idevid));
    ACMETOOL_CHECK(ra::block_in(config.ra.store, options.devices, what, io.context().now()));
    std::vector<std::string> unknown;
    if (what == ra::Blocking::block) {
        ACMETOOL_TRY(never_seen, relay::unknown_devices(config, options.devices));
        unknown = std::move(never_seen);
        for (const auto& device : unknown)
            io.context().log(base::Level::warning,
                             base::printable(device, 200) +
                                 ": no such device is in the inventory or has asked this relay; the block "
                                 "applies if one does");
    }
    const auto* const done = what == ra::Blocking::block ? "blocked" : "unblocked";
    if (io.json()) {
        base::Json members{{done, options.devices}};
        if (!unknown.empty()) members["unknown"] = unknown;
        return io.write_document("exclusion", members);
    }
    std::string text;
    for (const auto& device : options.devices)
        text += fmt::format("{} {}\n", base::printable(device, 200), done);
    return io.write(text);
}

} // namespace

int main(int argc, char** argv)
{
    cli::Program program{"est-relay", "EST registration authority in front of an ACME server"};
    Options options;
    cli::add_relay(program, options, "est-relay", relay::Kind::est,
                   "answer EST requests until SIGTERM; SIGHUP reloads");
    program.verb("revoke", "revoke certificates issued by this relay")
        .own_config(options.config)
        .words("SERIAL", options.serials, "Serial number of a certificate, hexadecimal", true)
        .without(cli::kNetworkOptions)
        .example("est-relay revoke --config relay.toml 04a1b2c3d4e5f60718")
        .action([&](cli::Io& io) { return revoke(options, io); });
    program.verb("block", "block devices: refuse their requests")
        .own_config(options.config)
        .words("DEVICE", options.devices,
               "Serial number of a device, SERIAL@MANUFACTURER, or its identifier from the log", true)
        .without(cli::kNetworkOptions)
        .example("est-relay block --config relay.toml device0001")
        .action([&](cli::Io& io) { return block(options, ra::Blocking::block, io); });
    program.verb("unblock", "unblock devices")
        .own_config(options.config)
        .words("DEVICE", options.devices,
               "Serial number of a device, SERIAL@MANUFACTURER, or its identifier from the log", true)
        .without(cli::kNetworkOptions)
        .example("est-relay unblock --config relay.toml device0001")
        .action([&](cli::Io& io) { return block(options, ra::Blocking::unblock, io); });
    return program.main(argc, argv);
}
