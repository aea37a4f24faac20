#pragma once

#include <string_view>

#include "base/result.h"

namespace acmetool::acme
{

/// Checks a contact of an account (RFC 8555 section 7.3): a URL, and if it is a mailto: URL, one address
/// without hfields (RFC 6068 section 2).
///
/// Errors: bad_input, reason "invalidContact", naming the contact.
ACMETOOL_EXPORT Result<void> check_contact(std::string_view contact);

} // namespace acmetool::acme
