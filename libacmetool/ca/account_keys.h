#pragma once

#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "base/json.h"
#include "ca/refusal.h"
#include "crypto/key.h"

namespace acmetool::ca
{

/// The keys of accounts that signed lately: to make one of a JWK takes a third as long as to verify a
/// signature with it. Safe to use from several threads.
class AccountKeys
{
public:
    struct Known {
        base::Json jwk;
        crypto::Key key;
    };

    /// What the account signed with last; it may have another key by now, or be gone.
    std::optional<Known> last_of(const std::string& account);
    /// The key of the account's "jwk", which may have changed since. Refusals: badPublicKey.
    Answer<crypto::Key> get(const std::string& account, const base::Json& jwk);
    void forget(const std::string& account);

private:
    static constexpr std::size_t kMost = 4096;
    std::mutex mutex_;
    std::unordered_map<std::string, Known> known_; ///< by account; all are forgotten when it is full
};

} // namespace acmetool::ca
