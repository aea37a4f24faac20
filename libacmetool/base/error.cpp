#include "base/error.h"

namespace acmetool
{

std::string_view name_of(Errc code)
{
    switch (code) {
    case Errc::usage:
        return "usage";
    case Errc::bad_input:
        return "badInput";
    case Errc::unavailable:
        return "unavailable";
    case Errc::internal:
        return "internal";
    case Errc::cannot_create:
        return "cannotCreate";
    case Errc::io:
        return "io";
    case Errc::temporary:
        return "deferred";
    case Errc::protocol:
        return "protocol";
    case Errc::refused:
        return "refused";
    case Errc::config:
        return "config";
    case Errc::authorization_needed:
        return "authorizationNeeded";
    case Errc::rate_limited:
        return "rateLimited";
    case Errc::interrupted:
        return "interrupted";
    }
    return "internal";
}

std::string name_of(const Error& error)
{
    return error.reason.empty() ? std::string{name_of(error.code)} : error.reason.word();
}

Error with_context(Error error, std::string_view context)
{
    error.message.insert(0, ": ");
    error.message.insert(0, context);
    return error;
}

} // namespace acmetool
