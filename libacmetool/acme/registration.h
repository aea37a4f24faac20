#pragma once

#include <optional>
#include <string>
#include <vector>

#include "acme/client.h"
#include "acme/external_account.h"
#include "base/json.h"
#include "base/result.h"

/// Accounts at the server (RFC 8555 section 7.3).
namespace acmetool::acme
{

struct Registration {
    std::vector<std::string> contact; ///< URLs, "mailto:ops@example.com"
    bool agree_tos = false;           ///< the operator agreed to the terms of service
    bool only_existing = false;       ///< onlyReturnExisting: do not create an account
    ExternalAccount external;
};

struct AccountStatus {
    std::string url;
    std::string status; ///< valid, deactivated, revoked
    std::vector<std::string> contact;
    bool created = false;
};

/// newAccount: creates the account of the client's key, or finds it. With an external account it is looked
/// for first, because a CA may refuse a binding that was used.
///
/// Errors: refused ("termsOfService": the CA has terms that were not agreed to; "externalAccountRequired";
/// accountDoesNotExist with only_existing; "accountNotValid": it was deactivated or revoked).
ACMETOOL_EXPORT Result<AccountStatus> register_account(Client& client, const Registration& registration);

/// Reads the account.
ACMETOOL_EXPORT Result<AccountStatus> fetch_account(Client& client);
/// Replaces its contacts. protocol ("accountNotChanged") if the returned object, which decides rather than
/// the HTTP status, has others.
ACMETOOL_EXPORT Result<AccountStatus> update_account(Client& client, const std::vector<std::string>& contact);
/// Deactivates it permanently (RFC 8555 section 7.3.6). protocol ("accountNotChanged") if the returned object
/// has another status.
ACMETOOL_EXPORT Result<AccountStatus> deactivate_account(Client& client);

} // namespace acmetool::acme
