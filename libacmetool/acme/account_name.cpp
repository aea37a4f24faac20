#include "acme/account_name.h"

#include <algorithm>

#include <fmt/core.h>

#include "base/bytes.h"
#include "crypto/digest.h"
#include "dns/name.h"

namespace acmetool::acme
{
namespace
{

constexpr std::string_view kBase32 = "abcdefghijklmnopqrstuvwxyz234567"; // RFC 4648 section 6, lower case
constexpr std::size_t kDigestOctets = 10;
constexpr std::size_t kLabelLength = 16; // 80 bits at 5 each: no padding

} // namespace

std::string account_validation_name(std::string_view account_url, std::string_view identifier)
{
    const auto digest = crypto::sha256(as_bytes(account_url));
    std::string label;
    unsigned bits = 0;
    unsigned count = 0;
    for (std::size_t i = 0; i < kDigestOctets; ++i) {
        bits = bits << 8U | digest[i];
        for (count += 8; count >= 5; count -= 5)
            label += kBase32[bits >> (count - 5) & 31U];
        bits &= (1U << count) - 1U;
    }
    return fmt::format("_{}.{}", label, dns::validation_name(identifier));
}

bool is_account_validation_name(std::string_view name, std::string_view identifier)
{
    if (!name.starts_with('_') || name.size() < kLabelLength + 2 || name[kLabelLength + 1] != '.')
        return false;
    const auto label = name.substr(1, kLabelLength);
    return std::all_of(label.begin(), label.end(),
                       [](char c) { return kBase32.find(c) != std::string_view::npos; }) &&
           dns::same_name(name.substr(kLabelLength + 2), dns::validation_name(identifier));
}

} // namespace acmetool::acme
