#include "http/multi_client_wait.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace acmetool::http
{

void MultiClientWait::wait(base::Worker::Clock::time_point until)
{
    constexpr base::Milliseconds kLongest{std::numeric_limits<int>::max()}; // that curl_multi_poll takes
    const auto left = std::chrono::ceil<base::Milliseconds>(until - base::Worker::Clock::now());
    client_->run(std::clamp(left, base::Milliseconds{0}, kLongest));
}

void MultiClientWait::wake()
{
    const std::lock_guard lock{mutex_};
    client_->wake();
}

void MultiClientWait::send(Request request, MultiClient::Done done)
{
    client_->send(std::move(request), std::move(done));
}

void MultiClientWait::replace(std::unique_ptr<MultiClient> client)
{
    // The old one is destroyed outside of the lock: its callbacks may own what posts to the worker.
    const std::lock_guard lock{mutex_};
    client_.swap(client);
}

} // namespace acmetool::http
