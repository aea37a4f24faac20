#pragma once

#include <string>
#include <vector>

#include "base/context.h"
#include "base/json.h"
#include "relay/config.h"

namespace acmetool::relay
{

enum class Verdict { ok, warn, fail };

/// One line of `est-relay check`.
struct Finding {
    Verdict verdict = Verdict::ok;
    std::string subject; ///< "tls", "domain example.com"
    std::string text;
    std::string hint; ///< what the operator can do; may be empty
};

/// Checks the files that the configuration names and warns of unwise settings (SEC-08, SEC-12). Uses no
/// network.
ACMETOOL_EXPORT std::vector<Finding> check_files(const Config& config, base::TimePoint now);

/// Queries the ACME server (first its clock), the URLs of CRLs, and the name servers: authorizations, CAA
/// records, whether the update key can set and remove a validation record, and whether it can set other
/// records.
ACMETOOL_EXPORT std::vector<Finding> check_online(const Config& config, base::Context& context);

ACMETOOL_EXPORT std::string_view name_of(Verdict verdict);
ACMETOOL_EXPORT base::Json to_json(const std::vector<Finding>& findings);

} // namespace acmetool::relay
