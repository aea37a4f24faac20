#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/secret.h"
#include "crypto/tls_engine.h"
#include "http/address_range.h"
#include "relay/teap_config.h"

namespace acmetool::relay
{

/// A RadiusClient, its secret read.
struct NasClient {
    http::AddressRange addresses;
    std::shared_ptr<const base::Secret> secret;
    std::shared_ptr<const teap::ServerSettings> settings; ///< for conversations that come by it
};

/// What goes for conversations that begin now.
struct TeapSetup {
    TeapConfig config;
    crypto::TlsContext context;
    std::vector<NasClient> clients; ///< the narrowest range first

    /// Borrowed; null for an address that is nobody's.
    const NasClient* client_at(const std::string& address) const;
};

/// Reads the clients' secrets. Errors: config.
Result<std::shared_ptr<const TeapSetup>> read_setup(TeapConfig config, crypto::TlsContext context);

} // namespace acmetool::relay
