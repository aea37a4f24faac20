#pragma once

#include <string>
#include <vector>

#include "base/context.h"
#include "relay/config.h"

namespace acmetool::relay
{

/// A file with a secret, and the key of the configuration that names it.
struct SecretFile {
    std::string section; ///< "tls"
    std::string what;    ///< "key"
    std::string file;
};

/// Every one that `config` names, and the account's key. Files that cannot be read are in it as well.
std::vector<SecretFile> secret_files(const Config& config);

/// Logs a warning for each that other users can access.
void warn_of_exposed(const Config& config, base::Context& context);

} // namespace acmetool::relay
