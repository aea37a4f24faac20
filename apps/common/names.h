#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "crypto/csr.h"
#include "dns/name.h"

namespace acmetool::cli
{

/// The identifiers that --dns and --ip give, names first: in normal form, each once. Errc::bad_input for one
/// that is not a name (dns::normalize_name) or an address ("badAddress").
Result<std::vector<crypto::Identifier>> identifiers_of(const std::vector<std::string>& dns,
                                                       const std::vector<std::string>& ip,
                                                       dns::NameRules rules = {});

} // namespace acmetool::cli
