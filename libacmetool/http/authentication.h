#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/secret.h"
#include "http/client.h"

/// HTTP Basic (RFC 7617) and Digest (RFC 7616) authentication, the client's side; of Basic the server's, too.
namespace acmetool::http
{

enum class AuthScheme { any, basic, digest };

struct Credentials {
    std::string user; ///< empty: there are none
    base::Secret password;
    AuthScheme scheme = AuthScheme::any; ///< what is answered; any: Digest before Basic
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

/// The best challenge in the WWW-Authenticate headers of a 401 that `allowed` lets us answer: Digest with
/// SHA-256, Digest with MD5, Basic. Nothing where there is none; unknown schemes and parameters are skipped.
ACMETOOL_EXPORT std::optional<Challenge> choose_challenge(const Headers& headers, AuthScheme allowed);

/// What one Digest answer is made of besides the challenge.
struct DigestInput {
    std::string method; ///< "POST"
    std::string target; ///< as in the request line
    std::string cnonce; ///< fresh random text
    unsigned count = 1; ///< how often this nonce was answered, this time included
};

/// The value of the Authorization header. It holds the password or what is made of it: never logged.
ACMETOOL_EXPORT Result<std::string> answer(const Challenge& challenge, const Credentials& credentials,
                                           const DigestInput& input);

/// What a request's Authorization header says (RFC 7617). Nothing where another scheme or none is used; an
/// empty user where the header is malformed.
ACMETOOL_EXPORT std::optional<Credentials> parse_basic(const Headers& headers);

} // namespace acmetool::http
