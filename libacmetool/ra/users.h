#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace acmetool::ra
{

struct User {
    std::string hash;               ///< crypt(3): yescrypt ($y$), bcrypt ($2b$), SHA-512 ($6$)
    std::vector<std::string> names; ///< A-labels that the user may request

    friend bool operator==(const User&, const User&) = default;
};
using Users = std::map<std::string, User, std::less<>>;

/// A user of HTTP Digest: H(A1) of RFC 7616 section 3.4.2 in lower-case hexadecimal, by algorithm; empty:
/// none.
struct DigestUser {
    std::string sha256;
    std::string md5;
    std::vector<std::string> names; ///< as in User

    friend bool operator==(const DigestUser&, const DigestUser&) = default;
};
using DigestUsers = std::map<std::string, DigestUser, std::less<>>;

/// Reads "user:hash:name,name" lines; '#' begins a comment. Errc::config naming file and line.
Result<Users> parse_users(std::string_view text, std::string_view what);

/// Reads "user:realm:H(A1):name,name" lines as htdigest writes them, with names added; a user has one line
/// for each algorithm, which the length of H(A1) tells. `realm` must be that of each line, because H(A1)
/// contains it. Errors as above.
Result<DigestUsers> parse_digest_users(std::string_view text, std::string_view what, std::string_view realm);

} // namespace acmetool::ra
