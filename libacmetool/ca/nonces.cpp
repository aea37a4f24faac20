#include "ca/nonces.h"

#include "ca/records.h"

namespace acmetool::ca
{

std::string Nonces::make()
{
    auto nonce = Records::new_id();
    const std::scoped_lock lock{mutex_};
    known_.insert(nonce);
    order_.push_back(nonce);
    if (order_.size() > kMost) {
        known_.erase(order_.front());
        order_.pop_front();
    }
    return nonce;
}

bool Nonces::use(const std::string& nonce)
{
    const std::scoped_lock lock{mutex_};
    return known_.erase(nonce) == 1;
}

} // namespace acmetool::ca
