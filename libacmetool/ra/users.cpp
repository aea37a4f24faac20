#include "ra/users.h"

#include <fmt/core.h>

#include "base/text.h"
#include "dns/name.h"

namespace acmetool::ra
{
namespace
{

Result<std::string> known_hash(std::string_view hash)
{
    for (const auto* prefix : {"$y$", "$gy$", "$2b$", "$2a$", "$2y$", "$7$", "$6$", "$5$"})
        if (hash.starts_with(prefix)) return std::string{hash};
    return fail(Errc::config, "not a strong crypt(3) hash", "create one with: mkpasswd --method=yescrypt");
}

} // namespace

Result<Users> parse_users(std::string_view text, std::string_view what)
{
    Users users;
    int number = 0;
    for (auto line : base::split(text, '\n')) {
        ++number;
        line = base::trim(line);
        if (line.empty() || line.starts_with('#')) continue;
        const auto fields = base::split(line, ':');
        const auto place = fmt::format("{}: line {}", what, number);
        if (fields.size() != 3 || fields[0].empty())
            return fail(Errc::config, place + ": not user:hash:names",
                        "lines must be a user, a crypt(3) hash, and names separated by commas");
        auto hash = known_hash(fields[1]);
        if (!hash) return fail(with_context(hash.error(), place));
        User user{std::move(*hash), {}};
        for (const auto part : base::split(fields[2], ',')) {
            if (base::trim(part).empty()) continue;
            auto name = dns::normalize_name(base::trim(part));
            if (!name) {
                name.error().code = Errc::config;
                return fail(with_context(name.error(), place));
            }
            user.names.push_back(std::move(*name));
        }
        if (!users.emplace(fields[0], std::move(user)).second)
            return fail(Errc::config, fmt::format("{}: user {} occurs twice", place, fields[0]));
    }
    return users;
}

} // namespace acmetool::ra
