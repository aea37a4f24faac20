#pragma once

#include <string>

#include "cli/program.h"
#include "relay/config.h"
#include "relay/device_commands.h"
#include "relay/event_commands.h"
#include "relay/exclusion_commands.h"
#include "relay/inventory_commands.h"

/// Shared by est-relay and teap-relay: both serve what one configuration file describes.
namespace acmetool::cli
{

struct RelayOptions {
    std::string config;
    bool online = false;
    bool explain = false;
    std::vector<std::string> action; ///< of store, with its argument
    std::string from;
    DeviceOptions device;
    EventOptions events;
    ExclusionOptions exclusion;
    InventoryOptions inventory;
};

/// Adds the verbs serve, check, status and store, those of add_device_commands() and add_event_commands(), of
/// a relay that reads its configuration as `kind`. `name` is the name of its event log, `serve_help` the
/// description of serve. serve answers until SIGTERM and reloads the file on SIGHUP; check exits with 78 if a
/// check failed; status queries the running relay's administration listener. `options` must outlive the
/// program.
ACMETOOL_EXPORT void add_relay(Program& program, RelayOptions& options, const std::string& name,
                               relay::Kind kind, const std::string& serve_help);

} // namespace acmetool::cli
