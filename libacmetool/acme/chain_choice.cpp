#include "acme/chain_choice.h"

#include <algorithm>

#include "base/hex.h"
#include "base/text.h"
#include "crypto/extension.h"

namespace acmetool::acme
{
namespace
{

constexpr std::size_t kDigits = 64;

} // namespace

bool ChainChoice::takes(const std::vector<crypto::Certificate>& chain) const
{
    if (!sha256.empty())
        return std::any_of(chain.begin(), chain.end(), [&](const crypto::Certificate& certificate) {
            return certificate.sha256() == sha256;
        });
    const auto& last = chain.back();
    return issuer == crypto::issuer_common_name(last) || issuer == last.issuer();
}

ChainChoice parse_chain_choice(std::string_view text)
{
    std::string digits{base::trim(text)};
    ChainChoice choice;
    choice.issuer = digits;
    digits.erase(std::remove(digits.begin(), digits.end(), ':'), digits.end());
    if (digits.size() != kDigits) return choice;
    auto octets = base::parse_hex(digits);
    if (!octets) return choice;
    return {{}, std::move(*octets)};
}

} // namespace acmetool::acme
