#include "relay/exclusion_commands.h"

#include <algorithm>
#include <optional>
#include <set>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "acme/client.h"
#include "acme/revocation.h"
#include "base/text.h"
#include "enrol/identity.h"
#include "ra/device_records.h"
#include "ra/exclusion.h"
#include "ra/records.h"
#include "relay/daemon.h"
#include "relay/known_devices.h"

namespace acmetool::cli
{
namespace
{

/// How far the CA came with certificates that are revoked in the store.
struct AtCa {
    std::set<std::string> done;  ///< serial numbers
    std::optional<Error> failed; ///< of the one after these
};

/// Has the CA revoke them, up to the first that fails. One that it has revoked before is no error.
AtCa revoke_at_ca(const relay::Config& config, const std::vector<ra::RevokedCertificate>& revoked,
                  std::optional<int> reason, Io& io)
{
    AtCa at_ca;
    const auto known = [](const auto& one) { return !one.device.empty(); }; // of others there was a warning
    const auto run = [&]() -> Result<void> {
        acme::ClientOptions options;
        options.account_file = config.ra.account_file;
        options.ca_file = io.ca_file();
        options.passphrase = {config.ra.account_passphrase_file, false};
        if (const auto timeout = io.timeout()) options.timeout = *timeout;
        ACMETOOL_TRY(database, ra::open_existing(config.ra.store));
        ACMETOOL_TRY(client, acme::Client::open(options, io.context()));
        for (const auto& one : revoked) {
            ACMETOOL_TRY(der, ra::Records{*database}.issued_with(one.serial));
            if (der.empty()) continue;
            ACMETOOL_TRY(certificates, crypto::parse_certificates(as_text(der), one.serial));
            const auto done =
                acme::revoke(*client, certificates.front(), acme::RevocationSigner::account, reason);
            if (!done && done.error().reason != Cause::already_revoked) return fail(done.error());
            at_ca.done.insert(one.serial);
        }
        return {};
    };
    const auto all = run();
    if (all) return at_ca;
    std::vector<std::string> left;
    for (const auto& one : revoked)
        if (known(one) && !at_ca.done.contains(one.serial)) left.push_back(one.serial);
    auto error = all.error();
    error.message =
        left.empty() ? error.message
                     : fmt::format("{} is revoked here, but not at the CA: {}", left.front(), error.message);
    if (left.size() > 1)
        error.message +=
            fmt::format("; the CA was not asked about {}", base::join({left.begin() + 1, left.end()}, ", "));
    constexpr const char* kAgain = "what is revoked already is no error";
    error.hint = fmt::format("{}; {}", error.hint.empty() ? "run the command again" : error.hint, kAgain);
    at_ca.failed = std::move(error);
    return at_ca;
}

Result<void> revoke(const std::string& file, const ExclusionOptions& options, relay::Kind kind, Io& io)
{
    std::optional<int> reason;
    if (!options.reason.empty()) {
        if (!options.at_ca) return fail(Errc::usage, "--reason is told to the CA: it requires --at-ca");
        ACMETOOL_TRY(number, acme::parse_revocation_reason(options.reason));
        reason = number;
    }
    ACMETOOL_TRY(config, relay::load_config(file, kind));
    if (options.at_ca && config.ra.account_file.empty())
        return fail(Errc::config, "the issuer is a program, which revokes nothing",
                    "revoke without --at-ca, and have the CA behind the program revoke it", "badConfig");
    ACMETOOL_TRY(revoked, ra::revoke_in(config.ra.store, options.serials, io.context().now()));
    for (const auto& one : revoked)
        if (one.device.empty())
            io.context().log(base::Level::warning,
                             one.serial + ": this relay issued no certificate with this serial number");
    const auto at_ca = options.at_ca ? revoke_at_ca(config, revoked, reason, io) : AtCa{};
    base::Json certificates = base::Json::array();
    std::string text;
    for (const auto& one : revoked) {
        const bool is_done = at_ca.done.contains(one.serial);
        base::Json certificate{{"serial", one.serial}};
        if (!one.device.empty()) certificate["device"] = one.device;
        if (options.at_ca) certificate["atCa"] = is_done;
        certificates.push_back(certificate);
        text += fmt::format("{} revoked{}{}\n", one.serial, is_done ? ", also at the CA" : "",
                            one.device.empty() ? "" : ": issued to " + base::printable(one.device, 200));
    }
    // What was done is told also if something else failed.
    ACMETOOL_CHECK(io.json() ? io.write_document("exclusion", {{"revoked", certificates}}) : io.write(text));
    if (at_ca.failed) return fail(*at_ca.failed);
    return {};
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

Result<void> block(const std::string& file, const ExclusionOptions& options, ra::Blocking what,
                   relay::Kind kind, Io& io)
{
    ACMETOOL_TRY(config, relay::load_config(file, kind));
    for (const auto& device : options.devices)
        ACMETOOL_CHECK(check_device(device, config.ra.idevid));
    ACMETOOL_TRY(devices, ra::block_in(config.ra.store, options.devices, what, io.context().now()));
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
    for (const auto& device : options.devices)
        if (std::find(devices.begin(), devices.end(), device) == devices.end())
            io.context().log(base::Level::warning,
                             base::printable(device, 200) +
                                 ": was not blocked under this name; \"blocks\" lists what is");
    const auto* const done = what == ra::Blocking::block ? "blocked" : "unblocked";
    if (io.json()) {
        base::Json members{{done, devices}};
        if (!unknown.empty()) members["unknown"] = unknown;
        return io.write_document("exclusion", members);
    }
    std::string text;
    for (const auto& device : devices)
        text += fmt::format("{} {}\n", base::printable(device, 200), done);
    return io.write(text);
}

/// What is blocked, the newest first.
Result<void> blocks(const std::string& file, relay::Kind kind, Io& io)
{
    ACMETOOL_TRY(config, relay::load_config(file, kind));
    ACMETOOL_TRY(database, ra::open_existing(config.ra.store));
    ACMETOOL_TRY(all, ra::DeviceRecords{*database}.blocks());
    base::Json list = base::Json::array();
    std::string text;
    for (const auto& one : all) {
        const auto device = base::printable(one.device, 1000);
        list.push_back({{"device", device}, {"since", base::to_rfc3339(one.at)}});
        text += fmt::format("{}  {}\n", base::to_rfc3339(one.at), device);
    }
    if (io.json()) return io.write_document("blocks", {{"blocks", std::move(list)}});
    if (all.empty()) io.context().log(base::Level::info, "no device is blocked");
    return io.write(text);
}

} // namespace

void add_exclusion_commands(Program& program, std::string& config, ExclusionOptions& options,
                            const std::string& name, relay::Kind kind)
{
    const std::string file = kind == relay::Kind::est ? "relay.toml" : "teap.toml";
    constexpr const char* kDeviceHelp =
        "Serial number of a device, SERIAL@MANUFACTURER, or its identifier from the log";
    program.verb("revoke", "revoke certificates issued by this relay")
        .own_config(config)
        .words("SERIAL", options.serials, "Serial number of a certificate, hexadecimal", true)
        .flag("--at-ca", options.at_ca, "Have the CA revoke them, too, with the account in [acme]")
        .option("--reason REASON", options.reason, "Name or number of RFC 5280, for the CA; default: none")
        .suggestions(acme::revocation_reasons())
        .example(fmt::format("{} revoke --config {} 04a1b2c3d4e5f60718", name, file))
        .action([&config, &options, kind](Io& io) { return revoke(config, options, kind, io); });
    program.verb("block", "block devices: refuse their requests")
        .own_config(config)
        .words("DEVICE", options.devices, kDeviceHelp, true)
        .without(kNetworkOptions)
        .example(fmt::format("{} block --config {} device0001", name, file))
        .action([&config, &options, kind](Io& io) {
            return block(config, options, ra::Blocking::block, kind, io);
        });
    program.verb("unblock", "unblock devices")
        .own_config(config)
        .words("DEVICE", options.devices, kDeviceHelp, true)
        .without(kNetworkOptions)
        .example(fmt::format("{} unblock --config {} device0001", name, file))
        .action([&config, &options, kind](Io& io) {
            return block(config, options, ra::Blocking::unblock, kind, io);
        });
    program.verb("blocks", "list the blocked devices")
        .own_config(config)
        .without(kNetworkOptions)
        .example(fmt::format("{} blocks --config {}", name, file))
        .action([&config, kind](Io& io) { return blocks(config, kind, io); });
}

} // namespace acmetool::cli
