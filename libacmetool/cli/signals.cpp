#include "cli/signals.h"

#include <csignal>
#include <semaphore.h>

#include "base/stop.h"

namespace acmetool::cli
{
namespace
{

/// Only flags of this type may be written from a signal handler.
volatile std::sig_atomic_t hangup_seen = 0;

/// A handler may also post a semaphore: whatever thread it runs on, next_signal() wakes up.
struct Seen {
    sem_t semaphore;
    Seen() { sem_init(&semaphore, 0, 0); }
};

sem_t& seen()
{
    static Seen all;
    return all.semaphore;
}

extern "C" void take_stop_signal(int number)
{
    base::note_stop_signal(number);
    std::signal(number, SIG_DFL);
    sem_post(&seen());
}

extern "C" void take_hangup_signal(int)
{
    hangup_seen = 1;
    sem_post(&seen());
}

} // namespace

void watch_signals()
{
    seen(); // made before a handler needs it
    std::signal(SIGPIPE, SIG_IGN);
    std::signal(SIGXFSZ, SIG_IGN); // a file size limit is a full disk, not the end of the program
    std::signal(SIGINT, take_stop_signal);
    std::signal(SIGTERM, take_stop_signal);
}

int caught_signal()
{
    return base::stop_signal();
}

void watch_hangup()
{
    seen();
    struct sigaction action {
    };
    action.sa_handler = take_hangup_signal;
    action.sa_flags = SA_RESTART;
    sigemptyset(&action.sa_mask);
    sigaction(SIGHUP, &action, nullptr);
}

SignalRequest next_signal()
{
    for (;;) {
        if (caught_signal() != 0) return SignalRequest::stop;
        if (hangup_seen != 0) {
            hangup_seen = 0;
            return SignalRequest::reload;
        }
        sem_wait(&seen()); // EINTR: looked at again
    }
}

} // namespace acmetool::cli
