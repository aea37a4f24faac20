#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/secret.h"
#include "http/client.h"

/// HTTP Basic (RFC 7617) and Digest (RFC 7616) authentication for clients, and Basic also for servers; Digest
/// for servers is in digest_server.h.
namespace acmetool::http
{

enum class AuthScheme { any, basic, digest };

struct Credentials {
    std::string user; ///< empty: there are none
    base::Secret password;
    AuthScheme scheme = AuthScheme::any; ///< accepted schemes; any: Digest before Basic
};

/// One challenge of a server.
struct Challenge {
    AuthScheme scheme = AuthScheme::basic;
    std::string realm;
    std::string nonce;
    std::string opaque;
    std::string algorithm; ///< "MD5", "SHA-256", or empty, which is MD5
    bool qop_auth = false;
    bool stale = false;
};

/// The best challenge in the WWW-Authenticate headers of a 401 that `allowed` permits: Digest with SHA-256,
/// Digest with MD5, Basic. Nothing if there is none. Unknown schemes and parameters are skipped.
ACMETOOL_EXPORT std::optional<Challenge> choose_challenge(const Headers& headers, AuthScheme allowed);

/// The input of a Digest answer besides the challenge.
struct DigestInput {
    std::string method; ///< "POST"
    std::string target; ///< as in the request line
    std::string cnonce; ///< fresh random text
    unsigned count = 1; ///< number of answers with this nonce, including this one
};

/// The value of the Authorization header. It contains the password or a value derived from it and must never
/// be logged.
ACMETOOL_EXPORT Result<std::string> answer(const Challenge& challenge, const Credentials& credentials,
                                           const DigestInput& input);

/// The credentials in a request's Authorization header (RFC 7617). Nothing if another scheme or none is used;
/// an empty user if the header is malformed.
ACMETOOL_EXPORT std::optional<Credentials> parse_basic(const Headers& headers);

} // namespace acmetool::http
