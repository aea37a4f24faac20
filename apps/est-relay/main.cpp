// est-relay: EST registration authority in front of an ACME server (RFC 7030, RFC 8555, RFC 9444).
#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/program.h"
#include "ra/exclusion.h"
#include "relay/daemon.h"
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
    ACMETOOL_TRY(revoked, ra::revoke_in(config.ra.store_file, options.serials, io.context().now()));
    base::Json certificates = base::Json::array();
    std::string text;
    for (const auto& one : revoked) {
        base::Json certificate{{"serial", one.serial}};
        if (!one.device.empty()) certificate["device"] = one.device;
        certificates.push_back(certificate);
        text += fmt::format("{} revoked: {}\n", one.serial,
                            one.device.empty() ? "this relay issued no certificate with this serial number"
                                               : "issued to " + base::printable(one.device, 200));
    }
    if (io.json()) return io.write_document("exclusion", {{"revoked", certificates}});
    return io.write(text);
}

Result<void> block(const Options& options, ra::Blocking what, cli::Io& io)
{
    ACMETOOL_TRY(config, relay::load_config(options.config));
    ACMETOOL_CHECK(ra::block_in(config.ra.store_file, options.devices, what, io.context().now()));
    const auto* const done = what == ra::Blocking::block ? "blocked" : "unblocked";
    if (io.json()) return io.write_document("exclusion", {{done, options.devices}});
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
        .action([&](cli::Io& io) { return revoke(options, io); });
    program.verb("block", "block devices: refuse their requests")
        .own_config(options.config)
        .words("DEVICE", options.devices, "Serial number of a device, or its identifier from the log", true)
        .action([&](cli::Io& io) { return block(options, ra::Blocking::block, io); });
    program.verb("unblock", "unblock devices")
        .own_config(options.config)
        .words("DEVICE", options.devices, "Serial number of a device, or its identifier from the log", true)
        .action([&](cli::Io& io) { return block(options, ra::Blocking::unblock, io); });
    return program.main(argc, argv);
}
