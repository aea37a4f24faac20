#include "base/stop.h"

#include <atomic>

namespace acmetool::base
{
namespace
{

std::atomic<int> noted_stop{0};
static_assert(std::atomic<int>::is_always_lock_free);

} // namespace

int stop_signal()
{
    return noted_stop;
}

void note_stop_signal(int number)
{
    noted_stop = number;
}

} // namespace acmetool::base
