#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/context.h"
#include "base/result.h"

namespace acmetool::acme
{

/// What must be published, and where, for a challenge (RFC 8555 section 8).
struct ChallengeTask {
    std::string type;              ///< "dns-01", "dns-account-01", "http-01", "tls-alpn-01", "dns-persist-01"
    std::string identifier;        ///< of the authorization, without "*."
    std::string token;             ///< checked: base64url, at least 22 characters
    std::string key_authorization; ///< token "." thumbprint; empty on a host without the account
    std::string record_name;       ///< dns-01: "_acme-challenge.<identifier>"; dns-persist-01: its own
    std::string record_value;      ///< the TXT content
    std::vector<std::string> issuers;      ///< dns-persist-01: names of the CA in records
    std::vector<std::string> account_uris; ///< dns-persist-01: what a record may say of the account
};

/// True for the types whose proof is a TXT record with the digest of the key authorization: dns-01 and, at a
/// name of the account's own, dns-account-01.
inline bool is_digest_record(std::string_view challenge_type)
{
    return challenge_type == "dns-01" || challenge_type == "dns-account-01";
}

/// A way to solve challenges: RFC 2136 updates, a hook program, a web root, a person.
///
/// publish() returns once the server's query is expected to succeed (RFC 8555 section 8.2). cleanup() removes
/// exactly what publish() created. It is called after success, failure and interruption, and works in another
/// process with the same task.
class Solver
{
public:
    virtual ~Solver() = default;
    virtual bool supports(std::string_view challenge_type) const = 0;
    virtual Result<void> publish(const ChallengeTask& task, base::Context& context) = 0;
    virtual Result<void> cleanup(const ChallengeTask& task, bool succeeded, base::Context& context) = 0;
};

} // namespace acmetool::acme
