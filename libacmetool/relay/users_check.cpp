#include "ra/users.h"
#include "relay/findings.h"
#include "store/atomic_file.h"

namespace acmetool::relay
{
namespace
{

template <class Parse>
void check_file(Findings& findings, const std::string& section, const std::string& file, Parse parse)
{
    if (file.empty()) return;
    const auto users = store::read_file(file).and_then(parse);
    if (users)
        ok(findings, section, fmt::format("{} users", users->size()));
    else
        bad(findings, section, users.error());
}

} // namespace

void check_users(Findings& findings, const Config& config)
{
    const auto& ra = config.ra;
    check_file(findings, "clients.basic", ra.users_file,
               [&](const std::string& text) { return ra::parse_users(text, ra.users_file); });
    check_file(findings, "clients.digest", ra.digest_users_file, [&](const std::string& text) {
        return ra::parse_digest_users(text, ra.digest_users_file, ra.digest_realm);
    });
    if (config.logins.digest && config.logins.digest->md5)
        warn(findings, "clients.digest", "md5 offers clients an algorithm that is broken",
             "remove md5 once all clients support SHA-256");
}

} // namespace acmetool::relay
