#pragma once

#include <string>
#include <vector>

#include "acme-order/options.h"
#include "acme/certificate_renewal.h"
#include "acme/solver_options.h"
#include "cli/program.h"

/// acme-order renew: renews certificates from cron and systemd timers.
namespace acmetool::cli
{

struct RenewOptions {
    acme::ClientOptions client;
    acme::SolverOptions solver;
    OrderOptions order;
    std::string csr;
    std::string key;
    std::vector<std::string> dns;
    std::vector<std::string> ip;
    std::optional<base::Margin> before;
    std::string deploy_hook;
    // options of the whole run
    std::string config_dir; ///< folder of TOML files, one per certificate
    bool check = false;
    bool detailed_exitcode = false;
    base::Milliseconds jitter{0};
    unsigned parallel = 1; ///< certificates at a time
    std::string metrics_file;
};

/// Adds the verb with its options and action. `options` must outlive the program.
Verb& add_renew(Program& program, RenewOptions& options);

} // namespace acmetool::cli
