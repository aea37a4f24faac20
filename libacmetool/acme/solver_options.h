#pragma once

#include <memory>
#include <string>
#include <vector>

#include "acme/solver.h"
#include "base/result.h"
#include "base/time.h"

namespace acmetool::acme
{

/// How challenges are solved, from the command line and the configuration, never from a document.
struct SolverOptions {
    std::string dns_update;                   ///< RFC 2136 server, HOST[:PORT]
    std::string tsig_key;                     ///< file with the TSIG key
    std::vector<std::string> dns_allow_zones; ///< zones that a CNAME at the validation name may lead to
    std::string hook;                         ///< program
    std::string hook_style = "uacme";         ///< or "certbot"
    std::string hook_cleanup;                 ///< certbot style: the program that cleans up
    std::vector<std::string> hook_env;        ///< names of environment variables that hooks get, too
    base::Milliseconds hook_timeout{120'000};
    std::string webroot;           ///< http-01: folder that the web server publishes
    std::string standalone;        ///< "http" or "tls-alpn": this program answers the validation
    std::string standalone_listen; ///< PORT or ADDRESS:PORT; empty: 80 or 443 on all addresses
    bool dns_account = false;      ///< dns-account-01 instead of dns-01
    bool manual = false;           ///< a person publishes
    bool dns_persist = false;      ///< a dns-persist-01 record is already published

    std::string resolver;                  ///< HOST[:PORT]; empty: the update server, else the system's
    std::vector<std::string> name_servers; ///< HOST[:PORT]; replaces the zone's NS records
    bool no_dns_check = false;
    base::Milliseconds dns_wait{120'000};
};

/// The solver that the options select; null if they select none. Errors: usage (several, or half of one),
/// config (TSIG key file, hook program, folder).
ACMETOOL_EXPORT Result<std::unique_ptr<Solver>> make_solver(const SolverOptions& options);

/// Errc::usage ("hookEnv") unless each of `names` can be the name of an environment variable.
ACMETOOL_EXPORT Result<void> check_hook_env(const std::vector<std::string>& names);

} // namespace acmetool::acme
