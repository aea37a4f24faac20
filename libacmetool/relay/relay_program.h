#pragma once

#include <string>

#include "cli/program.h"
#include "relay/config.h"

/// What est-relay and teap-relay have in common: both serve what one configuration file describes.
namespace acmetool::cli
{

struct RelayOptions {
    std::string config;
    bool online = false;
    bool explain = false;
};

/// The verbs serve, check and status of a relay that reads its configuration as `kind`. `name` is what its
/// event log is called, `serve_help` what serve says of itself. serve answers until SIGTERM and takes the
/// file anew on SIGHUP; check ends with 78 where something is wrong; status asks the running relay's
/// administration listener. `options` has to outlive the program.
ACMETOOL_EXPORT void add_relay(Program& program, RelayOptions& options, const std::string& name,
                               relay::Kind kind, const std::string& serve_help);

} // namespace acmetool::cli
