#pragma once

#include <string>

#include "base/time.h"
#include "cli/program.h"
#include "est-enroll/request.h"

/// est-enroll renew: renews one certificate from cron or a systemd timer.
namespace acmetool::cli
{

struct EstRenewOptions : EstRequestOptions {
    base::Margin before;
    bool check = false;
    bool detailed_exitcode = false;
    base::Milliseconds jitter{0};
    std::string deploy_hook;
    std::vector<std::string> hook_env;
    base::Milliseconds hook_timeout{120'000};
    std::string metrics_file;
    std::string config_dir; ///< of list and status: one file of options for each certificate
};

/// Adds the verb with its options and action. `options` must outlive the program.
Verb& add_renew(Program& program, EstRenewOptions& options);

} // namespace acmetool::cli
