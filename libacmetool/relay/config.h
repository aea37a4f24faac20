#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "access/options.h"
#include "base/result.h"
#include "est/login.h"
#include "http/server.h"
#include "net/endpoint.h"
#include "ra/options.h"
#include "registrar/options.h"

/// est-relay: its configuration, its checks and the running daemon.
namespace acmetool::relay
{

/// A file that relay.toml names and whose content is read.
struct NamedFile {
    std::string where; ///< "relay.toml:12:8: inventory"
    std::string path;
};

/// Administration from other hosts, by HTTPS: whoever shows a certificate or a token.
struct RemoteAdmin {
    std::optional<net::Endpoint> listen; ///< none: only this host
    std::string certificate_file;
    std::string key_file;
    std::vector<std::string> clients; ///< files with CAs of client certificates
    std::string token_file;           ///< may be empty
};

/// Who is told of events, and of which.
struct EventOptions {
    std::vector<std::string> hook; ///< program and arguments; empty: none
    std::string webhook;           ///< https URL; empty: none
    std::string webhook_key_file;  ///< signs what is sent; empty: nothing is signed
    std::string webhook_ca;        ///< trust anchors; empty: the system's
    std::vector<std::string> on{"authorization", "cacerts", "crl", "order", "store"};
    std::string level = "warning"; ///< the least severe

    bool operator==(const EventOptions&) const = default;
};

/// The content of relay.toml. File names are relative to its folder.
struct Config {
    net::Endpoint est{"0.0.0.0", 8443};
    net::Endpoint admin{"127.0.0.1", 9443}; ///< an address of this host
    RemoteAdmin remote_admin;
    http::ServerOptions
        http; ///< certificate, key, limits and proxies of the EST listener, whose address is `est`
    est::LoginOptions logins;
    bool cmc_errors = false;
    bool strict_body = false;
    std::optional<std::size_t> wrap;     ///< see est::ServerOptions
    std::chrono::seconds drain{10};      ///< longest time for pending requests after SIGTERM
    bool serves_est = true;              ///< teap-relay: only with est in [listen]
    std::optional<access::Options> teap; ///< est-relay: only with radius in [listen]
    EventOptions events;
    ra::Options ra;
    std::string crl_folder; ///< with PostgreSQL, of the CRLs that were fetched last
    registrar::Options brski;
    std::vector<NamedFile> files; ///< in the order of relay.toml
};

/// The program that reads the file; both can serve both protocols.
enum class Kind { est, teap };

/// One key that a configuration may have, for `check --explain`.
struct KeyHelp {
    std::string section; ///< "[listen]"
    std::string key;
    std::string fallback; ///< as written in the file; empty: none
    std::string help;
};

/// Parses relay.toml. `file` is its name in messages, which contain line and column.
///
/// An unknown key is an error that names the nearest one. Does not check whether the files exist.
/// Errc::config; reasons: badConfig, unknownKey, missingKey.
ACMETOOL_EXPORT Result<Config> parse_relay_config(std::string_view text, const std::string& file,
                                                  Kind kind = Kind::est);

/// Every key, in the order of the manual.
ACMETOOL_EXPORT std::vector<KeyHelp> explain_relay_config();

} // namespace acmetool::relay
