#pragma once

#include <string>
#include <vector>

#include "cli/program.h"
#include "relay/config.h"

namespace acmetool::cli
{

struct ExclusionOptions {
    std::vector<std::string> serials;
    std::vector<std::string> devices;
    bool at_ca = false;
    std::string reason;
};

/// Adds the verbs revoke, block, unblock and blocks, which write and read the store of the configuration,
/// whether its relay runs or not. `config` and `options` must outlive the program.
void add_exclusion_commands(Program& program, std::string& config, ExclusionOptions& options,
                            const std::string& name, relay::Kind kind);

} // namespace acmetool::cli
