#include "registrar/decision.h"

namespace acmetool::registrar
{

std::string_view name_of(Cause cause)
{
    switch (cause) {
    case Cause::none:
        return "";
    case Cause::no_certificate:
        return "noCertificate";
    case Cause::unknown_device:
        return "unknownDevice";
    case Cause::unauthenticated:
        return "unauthenticated";
    case Cause::unwelcome:
        return "unwelcome";
    case Cause::unavailable:
        return "unavailable";
    case Cause::malformed:
        return "malformed";
    case Cause::unknown_media_type:
        return "unknownMediaType";
    case Cause::no_such_format:
        return "noSuchFormat";
    case Cause::other_registrar:
        return "otherRegistrar";
    case Cause::bad_request:
        return "badRequest";
    case Cause::misconfigured:
        return "misconfigured";
    case Cause::replaced:
        return "replaced";
    case Cause::masa_not_allowed:
        return "masaNotAllowed";
    case Cause::masa_refused:
        return "masaRefused";
    case Cause::masa_unknown:
        return "masaUnknown";
    case Cause::masa_no_such_format:
        return "masaNoSuchFormat";
    case Cause::masa_silent:
        return "masaSilent";
    case Cause::bad_voucher:
        return "badVoucher";
    case Cause::bad_audit_log:
        return "badAuditLog";
    case Cause::masa_pending:
        return "masaPending";
    }
    return {};
}

Cause cause_named(std::string_view name)
{
    for (int i = 0; i <= static_cast<int>(kLastCause); ++i)
        if (const auto cause = static_cast<Cause>(i); name_of(cause) == name) return cause;
    return Cause::none;
}

} // namespace acmetool::registrar
