#include "acme/external_account.h"

#include <fmt/core.h>

#include "base/base64url.h"
#include "base/bytes.h"
#include "base/text.h"
#include "base/wipe.h"

namespace acmetool::acme
{

Result<base::Secret> parse_mac_key(std::string_view text, std::string_view what)
{
    constexpr std::size_t kLongest = 1024;
    const auto trimmed = base::trim(text);
    auto octets = base::parse_base64url(trimmed);
    if (!octets) octets = base::parse_base64(trimmed);
    if (!octets || octets->empty() || octets->size() > kLongest)
        return fail(Errc::config, fmt::format("{}: not a MAC key", what),
                    "expected one line of base64url, as the CA displays it", "badMacKey");
    std::string secret{as_text(*octets)};
    base::wipe(*octets);
    return base::Secret{std::move(secret)};
}

} // namespace acmetool::acme
