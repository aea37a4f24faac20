#include "ca/account_keys.h"

#include <nlohmann/json.hpp>

#include "ca/payloads.h"

namespace acmetool::ca
{

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

} // namespace acmetool::ca
