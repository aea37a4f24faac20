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
};
using Users = std::map<std::string, User, std::less<>>;

/// Reads "user:hash:name,name" lines; '#' begins a comment. Errc::config naming file and line.
Result<Users> parse_users(std::string_view text, std::string_view what);

} // namespace acmetool::ra
