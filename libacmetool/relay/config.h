#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "access/options.h"
#include "base/result.h"
#include "http/server.h"
#include "net/endpoint.h"
#include "ra/options.h"
#include "registrar/options.h"

/// est-relay: its configuration, its checks and the running daemon.
namespace acmetool::relay
{

/// What relay.toml says. Names of files count from its folder.
struct Config {
    net::Endpoint est{"0.0.0.0", 8443};
    net::Endpoint admin{"127.0.0.1", 9443};
    http::ServerOptions
        http; ///< certificate, key, limits and proxies of the EST listener; its address is `est`
    bool cmc_errors = false;
    bool strict_body = false;
    std::optional<std::size_t> wrap;     ///< see est::ServerOptions
    std::chrono::seconds drain{10};      ///< how long requests may take to end after SIGTERM
    bool serves_est = true;              ///< teap-relay: only with [listen] est
    std::optional<access::Options> teap; ///< est-relay: only with [listen] radius
    ra::Options ra;
    registrar::Options brski;
};

/// The program that reads the file; both may serve both.
enum class Kind { est, teap };

/// One key that a configuration may have, for `check --explain`.
struct KeyHelp {
    std::string section; ///< "[listen]"
    std::string key;
    std::string fallback; ///< as it would be written; empty: none
    std::string help;
};

/// Parses relay.toml. `file` names it in messages, which carry line and column.
///
/// A key that is not known is an error that names the nearest one. Whether the files exist is not looked at.
/// Errc::config; reasons: badConfig, unknownKey, missingKey.
ACMETOOL_EXPORT Result<Config> parse_relay_config(std::string_view text, const std::string& file,
                                                  Kind kind = Kind::est);

/// Every key, in the order of the manual.
ACMETOOL_EXPORT std::vector<KeyHelp> explain_relay_config();

} // namespace acmetool::relay
