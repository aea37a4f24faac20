#include "cli/exit_code.h"

#include <csignal>

namespace acmetool::cli
{

int exit_code(Errc code)
{
    switch (code) {
    case Errc::usage:
        return 64;
    case Errc::bad_input:
        return 65;
    case Errc::unavailable:
        return 69;
    case Errc::internal:
        return 70;
    case Errc::cannot_create:
        return 73;
    case Errc::io:
        return 74;
    case Errc::temporary:
        return kExitDeferred;
    case Errc::protocol:
        return 76;
    case Errc::refused:
        return 77;
    case Errc::config:
        return 78;
    case Errc::authorization_needed:
        return 79;
    case Errc::rate_limited:
        return 80;
    case Errc::interrupted:
        return 128 + SIGTERM;
    }
    return 70;
}

} // namespace acmetool::cli
