#pragma once

#include <string>

#include "acme/client.h"
#include "acme/registration.h"
#include "base/result.h"
#include "crypto/key.h"

/// Replacement of the account's key (RFC 8555 section 7.3.5).
namespace acmetool::acme
{

/// Requests `new_key` for the client's account: the outer JWS is signed with the client's key, the inner one
/// with the new key. After an error the outcome is unknown; newAccount with onlyReturnExisting, signed with
/// the new key, determines it.
///
/// Errors: unavailable ("keyChangeUnsupported": no such URL in the directory, so no request was sent),
/// refused (the new key belongs to another account: HTTP 409), and those of Client::post.
ACMETOOL_EXPORT Result<void> change_key(Client& client, const crypto::Key& new_key);

/// The file beside the old key in which a rollover keeps the new key until the CA has confirmed it.
ACMETOOL_EXPORT std::string next_key_file(const std::string& key_file);

} // namespace acmetool::acme
