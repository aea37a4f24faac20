#pragma once

#include <string>
#include <vector>

#include "base/time.h"
#include "cli/program.h"
#include "relay/config.h"

namespace acmetool::cli
{

struct DeviceOptions {
    std::vector<std::string> device;
    std::string state;
    base::Milliseconds since{0};
    unsigned limit = 100;
    std::string after;
};

/// Adds the verbs explain, devices, retry and forget, which read and write the store of the configuration,
/// whether its relay runs or not. `config` and `options` must outlive the program.
void add_device_commands(Program& program, std::string& config, DeviceOptions& options,
                         const std::string& name, relay::Kind kind);

} // namespace acmetool::cli
