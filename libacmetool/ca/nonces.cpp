#include "ca/nonces.h"

#include "ca/records.h"

namespace acmetool::ca
{

std::string Nonces::make()
{
    auto nonce = Records::new_id();
    const std::scoped_lock lock{mutex_};
    while (!order_.empty() && (known_.size() >= kMost || !known_.contains(order_.front()))) {
        known_.erase(order_.front());
        order_.pop_front();
    }
    // An unused one at the front holds back the used ones behind it.
    if (order_.size() >= 2 * kMost) std::erase_if(order_, [&](const auto& n) { return !known_.contains(n); });
    known_.emplace(nonce, Clock::now());
    order_.push_back(nonce);
    return nonce;
}

bool Nonces::use(const std::string& nonce, std::chrono::seconds lifetime)
{
    const std::scoped_lock lock{mutex_};
    const auto found = known_.find(nonce);
    if (found == known_.end()) return false;
    const bool fresh = lifetime.count() == 0 || Clock::now() - found->second <= lifetime;
    known_.erase(found);
    return fresh;
}

} // namespace acmetool::ca
