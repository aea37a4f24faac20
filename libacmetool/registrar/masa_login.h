#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "http/authentication.h"
#include "http/client.h"

/// The registrar's HTTP authentication at a MASA (RFC 8995 section 5.4).
namespace acmetool::registrar
{

/// Reads a file with one line "user:password". Errc::config.
ACMETOOL_EXPORT Result<http::Credentials> read_masa_credentials(const std::string& file);

/// Answers a MASA's challenges, Digest before Basic. One thread at a time.
class MasaLogin
{
public:
    /// Other credentials from now on; nothing: none are given.
    void use(std::optional<http::Credentials> credentials);
    /// Takes the challenge of a 401; true if it can be answered by sending the request again.
    bool take(const http::Response& refusal);
    /// Adds the Authorization header where a challenge was taken before.
    Result<void> authorize(http::Request& request);

private:
    std::optional<http::Credentials> credentials_;
    std::optional<http::Challenge> challenge_;
    unsigned answers_ = 0; ///< of `challenge_`
};

} // namespace acmetool::registrar
