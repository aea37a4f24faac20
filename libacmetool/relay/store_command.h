#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/context.h"
#include "base/result.h"
#include "relay/config.h"
#include "store/members.h"

/// What an operator does to the database of the relays: est-relay store, teap-relay store.
namespace acmetool::relay
{

struct StoreStatus {
    std::string id;
    unsigned version = 0; ///< of the tables
    std::uint64_t certificates = 0;
    std::uint64_t orders_under_way = 0;
    std::vector<store::Member> relays; ///< empty for a file
};

/// Creates the tables, if they are absent. Errors: io; config.
Result<void> init_store(const Config& config);
/// Brings the tables up to the version of this program. Errors: also config, reason "noStore".
Result<void> upgrade_store(const Config& config);
Result<StoreStatus> store_status(const Config& config);
/// Copies a file, which no relay has open, into the database, which has no rows. Returns how many it has
/// then. Errors: also config, reason "notEmpty".
Result<std::uint64_t> copy_store(const Config& config, const std::string& file, base::Context& context);
/// SQL that lets `role` do what a relay does, and nothing else. Errors: bad_input.
Result<std::string> store_grants(const std::string& role);

} // namespace acmetool::relay
