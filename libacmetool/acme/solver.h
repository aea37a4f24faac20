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
    std::string type;                 ///< "dns-01", "http-01", "tls-alpn-01", "dns-persist-01"
    std::string identifier;           ///< of the authorization, without "*."
    std::string token;                ///< checked: base64url, at least 22 characters
    std::string key_authorization;    ///< token "." thumbprint; empty on a host without the account
    std::string record_name;          ///< dns-01: "_acme-challenge.<identifier>"; dns-persist-01: its own
    std::string record_value;         ///< the TXT content
    std::vector<std::string> issuers; ///< dns-persist-01: names of the CA in records
};

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
