#include "enrol/registration_authority.h"

#include <algorithm>
#include <array>

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

namespace
{

struct GroundRow {
    Ground ground;
    std::string_view name;
    Refusal refusal;
};

constexpr std::array<GroundRow, static_cast<std::size_t>(kLastGround) + 1> kGrounds{{
    {Ground::none, "", Refusal::internal},
    {Ground::no_identity, "noIdentity", Refusal::unauthenticated},
    {Ground::wrong_password, "wrongPassword", Refusal::unauthenticated},
    {Ground::login_used, "loginUsed", Refusal::unauthenticated},
    {Ground::unknown_issuer, "unknownIssuer", Refusal::unauthenticated},
    {Ground::invalid_certificate, "invalidCertificate", Refusal::unauthenticated},
    {Ground::out_of_dates, "outOfDates", Refusal::unauthenticated},
    {Ground::revoked_by_crl, "revokedByCrl", Refusal::unauthenticated},
    {Ground::not_for_clients, "notForClients", Refusal::unauthenticated},
    {Ground::not_a_device, "notADevice", Refusal::unauthenticated},
    {Ground::only_for_renewal, "onlyForRenewal", Refusal::unauthenticated},
    {Ground::revoked, "revoked", Refusal::forbidden},
    {Ground::key_revoked, "keyRevoked", Refusal::forbidden},
    {Ground::blocked, "blocked", Refusal::forbidden},
    {Ground::not_in_inventory, "notInInventory", Refusal::forbidden},
    {Ground::other_label, "otherLabel", Refusal::forbidden},
    {Ground::other_manufacturer, "otherManufacturer", Refusal::forbidden},
    {Ground::several_devices, "severalDevices", Refusal::forbidden},
    {Ground::user_without_names, "userWithoutNames", Refusal::forbidden},
    {Ground::device_without_names, "deviceWithoutNames", Refusal::forbidden},
    {Ground::not_the_certificate_to_renew, "notTheCertificateToRenew", Refusal::forbidden},
    {Ground::not_certifiable, "notCertifiable", Refusal::bad_identity},
    {Ground::foreign_domain, "foreignDomain", Refusal::bad_identity},
    {Ground::other_name, "otherName", Refusal::bad_identity},
    {Ground::name_taken, "nameTaken", Refusal::bad_identity},
    {Ground::no_name_yet, "noNameYet", Refusal::bad_identity},
    {Ground::differs_from_certificate, "differsFromCertificate", Refusal::bad_identity},
    {Ground::not_a_dns_name, "notADnsName", Refusal::bad_request},
    {Ground::no_names, "noNames", Refusal::bad_request},
    {Ground::too_many_names, "tooManyNames", Refusal::bad_request},
    {Ground::name_not_in_san, "nameNotInSan", Refusal::bad_request},
    {Ground::malformed, "malformed", Refusal::bad_request},
    {Ground::content_not_allowed, "contentNotAllowed", Refusal::bad_request},
    {Ground::other_binding, "otherBinding", Refusal::pop_failed},
    {Ground::no_binding, "noBinding", Refusal::pop_failed},
    {Ground::unknown_label, "unknownLabel", Refusal::not_found},
    {Ground::too_many_passwords, "tooManyPasswords", Refusal::too_many},
    {Ground::too_many_orders, "tooManyOrders", Refusal::too_many},
    {Ground::store_away, "storeAway", Refusal::unavailable},
    {Ground::queue_full, "queueFull", Refusal::unavailable},
    {Ground::revocation_unknown, "revocationUnknown", Refusal::unavailable},
    {Ground::explicit_curve, "explicitCurve", Refusal::unsupported_algorithm},
    {Ground::other_key_type, "otherKeyType", Refusal::unsupported_algorithm},
    {Ground::weak_key, "weakKey", Refusal::unsupported_algorithm},
    {Ground::extension_not_allowed, "extensionNotAllowed", Refusal::unsupported_extension},
    {Ground::order_failed, "orderFailed", Refusal::unavailable},
    {Ground::failure_remembered, "failureRemembered", Refusal::unavailable},
}};

constexpr bool is_in_order()
{
    for (std::size_t i = 0; i < kGrounds.size(); ++i)
        if (static_cast<std::size_t>(kGrounds[i].ground) != i) return false;
    return true;
}
static_assert(is_in_order());

} // namespace

std::string_view name_of(Ground ground)
{
    return kGrounds.at(static_cast<std::size_t>(ground)).name;
}

Ground ground_named(std::string_view name)
{
    const auto* const found =
        std::find_if(kGrounds.begin(), kGrounds.end(), [&](const auto& row) { return row.name == name; });
    return found == kGrounds.end() ? Ground::none : found->ground;
}

Refusal refusal_on(Ground ground)
{
    return kGrounds.at(static_cast<std::size_t>(ground)).refusal;
}

std::optional<Refusal> refusal_named(std::string_view name)
{
    for (int i = 0; i <= static_cast<int>(kLastRefusal); ++i)
        if (const auto refusal = static_cast<Refusal>(i); name_of(refusal) == name) return refusal;
    return std::nullopt;
}

Peer Peer::clone() const
{
    Peer copy;
    copy.certificates = certificates;
    copy.user = user;
    copy.password = base::Secret{std::string{password.reveal()}};
    copy.digest = digest;
    copy.address = address;
    copy.executor = executor;
    return copy;
}

std::string holder_of(const std::vector<crypto::Certificate>& certificates)
{
    if (certificates.empty()) return {};
    const auto& own = certificates.front();
    return fmt::format("{} serial {}", base::printable(own.subject(), 200), own.serial());
}

} // namespace acmetool::enrol
