#pragma once

#include <string>

#include "acme/client.h"
#include "acme/registration.h"
#include "base/result.h"
#include "crypto/key.h"

/// Another key for the account (RFC 8555 section 7.3.5).
namespace acmetool::acme
{

/// Asks the CA to take `new_key` for the client's account: the outer JWS is signed by the client's key, the
/// inner one by the new one. After an error it is open whether the CA did so; newAccount with
/// onlyReturnExisting, signed by the new key, tells.
///
/// Errors: unavailable ("keyChangeUnsupported": no such URL in the directory, no request was made), refused
/// (the new key is another account's: HTTP 409), and those of Client::post.
ACMETOOL_EXPORT Result<void> change_key(Client& client, const crypto::Key& new_key);

/// Where a rollover keeps the new key until the CA is known to have taken it: beside the old one.
ACMETOOL_EXPORT std::string next_key_file(const std::string& key_file);

} // namespace acmetool::acme
