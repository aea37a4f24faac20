#pragma once

#include <chrono>
#include <map>
#include <mutex>
#include <optional>
#include <semaphore>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace acmetool::ra
{

struct User {
    std::string hash;               ///< crypt(3): yescrypt ($y$), bcrypt ($2b$), SHA-512 ($6$)
    std::vector<std::string> names; ///< A-labels that the user may ask for
};
using Users = std::map<std::string, User, std::less<>>;

/// Reads "user:hash:name,name" lines; '#' begins a comment. Errc::config naming file and line.
Result<Users> parse_users(std::string_view text, std::string_view what);

/// Compares passwords, which is slow on purpose; at most two at once. Right ones are remembered for five
/// minutes, as an HMAC under a key that dies with the process. Usable by several threads at once.
class PasswordCheck
{
public:
    PasswordCheck();
    enum class Verdict { right, wrong, busy };
    /// `user` null: takes the time of a comparison and says no, so that nobody learns which users there are.
    Verdict check(const User* user, std::string_view name, std::string_view password);

private:
    Bytes key_;
    std::counting_semaphore<2> slots_{2};
    std::mutex mutex_;
    std::map<Bytes, std::chrono::steady_clock::time_point> right_;
};

} // namespace acmetool::ra
