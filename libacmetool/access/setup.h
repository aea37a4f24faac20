#pragma once

#include <memory>
#include <string>
#include <vector>

#include "access/options.h"
#include "base/result.h"
#include "base/secret.h"
#include "crypto/tls_engine.h"
#include "net/address_range.h"

namespace acmetool::access
{

/// A Client, its secret read.
struct NasClient {
    net::AddressRange addresses;
    std::shared_ptr<const base::Secret> secret;
    std::shared_ptr<const teap::ServerSettings> settings; ///< for conversations that come by it
};

/// What goes for conversations that begin now.
struct Setup {
    Options config;
    crypto::TlsContext context;
    std::vector<NasClient> clients; ///< the narrowest range first

    /// Borrowed; null for an address that is nobody's.
    const NasClient* client_at(const std::string& address) const;
};

/// Reads the clients' secrets. Errors: config.
Result<std::shared_ptr<const Setup>> read_setup(Options config, crypto::TlsContext context);

} // namespace acmetool::access
