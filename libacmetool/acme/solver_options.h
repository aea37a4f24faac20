#pragma once

#include <memory>
#include <string>
#include <vector>

#include "acme/solver.h"
#include "base/result.h"
#include "base/time.h"

namespace acmetool::acme
{

/// How challenges are fulfilled, as the command line and the configuration say it; never a document.
struct SolverOptions {
    std::string dns_update;                   ///< RFC 2136 server, HOST[:PORT]
    std::string tsig_key;                     ///< file with the TSIG key
    std::vector<std::string> dns_allow_zones; ///< zones that a CNAME at the validation name may lead to
    std::string hook;                         ///< program
    std::string hook_style = "uacme";         ///< or "certbot"
    std::string hook_cleanup;                 ///< certbot style: the program that removes
    base::Milliseconds hook_timeout{120'000};
    std::string webroot;           ///< http-01: folder that the web server shows
    std::string standalone;        ///< "http" or "tls-alpn": the program itself answers the validation
    std::string standalone_listen; ///< PORT or ADDRESS:PORT; empty: 80 or 443 at every address
    bool manual = false;           ///< a person does it
    bool dns_persist = false;      ///< a dns-persist-01 record stands already

    std::string resolver;                  ///< HOST[:PORT]; empty: the update server, else the system's
    std::vector<std::string> name_servers; ///< HOST[:PORT]; instead of the zone's NS records
    bool no_dns_check = false;
    base::Milliseconds dns_wait{120'000};
};

/// The solver that the options name; null where they name none. Errors: usage (several, or half of one),
/// config (TSIG key file, hook program, folder).
ACMETOOL_EXPORT Result<std::unique_ptr<Solver>> make_solver(const SolverOptions& options);

} // namespace acmetool::acme
