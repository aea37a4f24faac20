#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

/// Validation names that belong to one account (draft-ietf-acme-dns-account-label).
namespace acmetool::acme
{

/// "_LABEL._acme-challenge.<identifier>" of dns-account-01; LABEL is base32 in lower case of the first ten
/// octets of the SHA-256 of the account's URL. Pure.
ACMETOOL_EXPORT std::string account_validation_name(std::string_view account_url,
                                                    std::string_view identifier);

/// True if `name` is such a name of some account for `identifier`. Pure.
ACMETOOL_EXPORT bool is_account_validation_name(std::string_view name, std::string_view identifier);

} // namespace acmetool::acme
