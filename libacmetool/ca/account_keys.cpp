#include "ca/account_keys.h"

#include <nlohmann/json.hpp>

#include "ca/payloads.h"

namespace acmetool::ca
{

std::optional<AccountKeys::Known> AccountKeys::last_of(const std::string& account)
{
    const std::scoped_lock lock{mutex_};
    const auto found = known_.find(account);
    return found == known_.end() ? std::nullopt : std::optional{found->second};
}

Answer<crypto::Key> AccountKeys::get(const std::string& account, const base::Json& jwk)
{
    {
        const std::scoped_lock lock{mutex_};
        const auto found = known_.find(account);
        if (found != known_.end() && found->second.jwk == jwk) return found->second.key;
    }
    CA_TRY(key, account_key(jwk));
    const std::scoped_lock lock{mutex_};
    if (known_.size() >= kMost) known_.clear();
    known_.insert_or_assign(account, Known{jwk, key});
    return key;
}

void AccountKeys::forget(const std::string& account)
{
    const std::scoped_lock lock{mutex_};
    known_.erase(account);
}

} // namespace acmetool::ca
