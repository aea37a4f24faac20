#pragma once

#include <string>
#include <vector>

#include "cli/program.h"
#include "relay/config.h"

namespace acmetool::cli
{

struct InventoryOptions {
    std::vector<std::string> action; ///< with its arguments
    bool force = false;
};

/// Adds the verb inventory, which reads and writes the inventory in the store of the configuration, whether
/// its relay runs or not. `config` and `options` must outlive the program.
void add_inventory_commands(Program& program, std::string& config, InventoryOptions& options,
                            const std::string& name, relay::Kind kind);

} // namespace acmetool::cli
