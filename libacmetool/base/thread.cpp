#include "base/thread.h"

#include <csignal>
#include <pthread.h>
#include <utility>

namespace acmetool::base
{

std::thread start_thread(const std::string& name, std::function<void()> run)
{
    // The mask is inherited.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    std::thread thread{std::move(run)};
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    constexpr std::size_t kLongestName = 15;
    pthread_setname_np(thread.native_handle(), name.substr(0, kLongestName).c_str());
    return thread;
}

} // namespace acmetool::base
