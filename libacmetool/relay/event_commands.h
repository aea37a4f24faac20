#pragma once

#include <string>

#include "cli/program.h"
#include "relay/config.h"

namespace acmetool::cli
{

struct EventOptions {
    std::string device;
    std::string request;
    std::string since;
    std::string until;
    std::string level = "info";
    bool follow = false;
    unsigned limit = 100;
    unsigned days = 30;
};

/// Adds the verbs events and forecast, which read the store of the configuration, whether its relay runs or
/// not. `config` and `options` must outlive the program.
void add_event_commands(Program& program, std::string& config, EventOptions& options, const std::string& name,
                        relay::Kind kind);

} // namespace acmetool::cli
