#include "enrol/registration_authority.h"

#include <fmt/core.h>

#include "base/text.h"

namespace acmetool::enrol
{

std::string_view name_of(Refusal refusal)
{
    switch (refusal) {
    case Refusal::unauthenticated:
        return "unauthenticated";
    case Refusal::forbidden:
        return "forbidden";
    case Refusal::bad_request:
        return "badRequest";
    case Refusal::bad_identity:
        return "badIdentity";
    case Refusal::pop_failed:
        return "popFailed";
    case Refusal::not_found:
        return "notFound";
    case Refusal::too_many:
        return "tooMany";
    case Refusal::unavailable:
        return "unavailable";
    case Refusal::internal:
        return "internalCAError";
    case Refusal::unsupported_algorithm:
        return "unsupportedAlgorithm";
    case Refusal::unsupported_extension:
        return "unsupportedExtension";
    }
    return "internalCAError";
}

Peer Peer::clone() const
{
    Peer copy;
    copy.certificates = certificates;
    copy.user = user;
    copy.password = base::Secret{std::string{password.reveal()}};
    copy.digest = digest;
    copy.address = address;
    return copy;
}

std::string holder_of(const std::vector<crypto::Certificate>& certificates)
{
    if (certificates.empty()) return {};
    const auto& own = certificates.front();
    return fmt::format("{} serial {}", base::printable(own.subject(), 200), own.serial());
}

} // namespace acmetool::enrol
