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

/// The fields of a line, and the line for messages: "FILE: line 3".
struct Line {
    std::vector<std::string_view> fields;
    std::string place;
};

std::vector<Line> lines_of(std::string_view text, std::string_view what)
{
    std::vector<Line> lines;
    int number = 0;
    for (auto line : base::split(base::without_byte_order_mark(text), '\n')) {
        ++number;
        line = base::trim(line);
        if (line.empty() || line.starts_with('#')) continue;
        lines.push_back({base::split(line, ':'), fmt::format("{}: line {}", what, number)});
    }
    return lines;
}

Result<std::vector<std::string>> names_in(std::string_view field)
{
    std::vector<std::string> names;
    for (const auto part : base::split(field, ',')) {
        if (base::trim(part).empty()) continue;
        auto name = dns::normalize_name(base::trim(part));
        if (!name) {
            name.error().code = Errc::config;
            return fail(name.error());
        }
        names.push_back(std::move(*name));
    }
    return names;
}

/// Puts H(A1) where its length says.
Result<void> set_hash(DigestUser& user, std::string_view hash)
{
    constexpr std::size_t kMd5 = 32;
    constexpr std::size_t kSha256 = 64;
    auto text = base::to_lower(hash);
    if ((text.size() != kMd5 && text.size() != kSha256) ||
        text.find_first_not_of("0123456789abcdef") != std::string::npos)
        return fail(Errc::config, "not the hash of user:realm:password in hexadecimal",
                    "it has 64 digits for SHA-256, 32 for MD5; see relay.toml(5)");
    auto& place = text.size() == kMd5 ? user.md5 : user.sha256;
    if (!place.empty()) return fail(Errc::config, "the user occurs twice with this algorithm");
    place = std::move(text);
    return {};
}

} // namespace

Result<Users> parse_users(std::string_view text, std::string_view what)
{
    Users users;
    for (const auto& [fields, place] : lines_of(text, what)) {
        if (fields.size() != 3 || fields[0].empty())
            return fail(Errc::config, place + ": not user:hash:names",
                        "lines must be a user, a crypt(3) hash, and names separated by commas");
        auto hash = known_hash(fields[1]);
        if (!hash) return fail(with_context(hash.error(), place));
        auto names = names_in(fields[2]);
        if (!names) return fail(with_context(names.error(), place));
        if (!users.emplace(fields[0], User{std::move(*hash), std::move(*names)}).second)
            return fail(Errc::config, fmt::format("{}: user {} occurs twice", place, fields[0]));
    }
    return users;
}

Result<DigestUsers> parse_digest_users(std::string_view text, std::string_view what, std::string_view realm)
{
    DigestUsers users;
    for (const auto& [fields, place] : lines_of(text, what)) {
        if (fields.size() != 4 || fields[0].empty())
            return fail(Errc::config, place + ": not user:realm:hash:names",
                        "add a colon and names separated by commas to each line of htdigest");
        if (fields[1] != realm)
            return fail(
                Errc::config,
                fmt::format("{}: realm \"{}\" is not \"{}\"", place, base::printable(fields[1], 100),
                            base::printable(realm, 100)),
                "the hash contains the realm: set realm in [clients.digest] to it, or make another hash");
        auto names = names_in(fields[3]);
        if (!names) return fail(with_context(names.error(), place));
        const auto [entry, is_new] = users.try_emplace(std::string{fields[0]});
        if (!is_new && entry->second.names != *names)
            return fail(Errc::config,
                        fmt::format("{}: user {} has other names in another line", place, fields[0]));
        entry->second.names = std::move(*names);
        if (const auto set = set_hash(entry->second, fields[2]); !set)
            return fail(with_context(set.error(), place));
    }
    return users;
}

} // namespace acmetool::ra
