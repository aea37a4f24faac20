#include "brski/masa.h"

#include <fmt/core.h>

#include "base/text.h"
#include "brski/idevid.h"

namespace acmetool::brski
{
Result<OwnerList> parse_owners(std::string_view text, const std::string& file)
{
    OwnerList owners;
    unsigned number = 0;
    for (const auto line : base::split(text, '\n')) {
        ++number;
        const auto content = base::trim(line.substr(0, line.find('#')));
        if (content.empty()) continue;
        const auto comma = content.find(',');
        const auto serial = base::trim(content.substr(0, comma));
        const auto domain =
            comma == std::string_view::npos ? std::string_view{} : base::trim(content.substr(comma + 1));
        if (serial.empty() || domain.empty())
            return fail(Errc::config, fmt::format("{}:{}: not \"serial,domainID\"", file, number), {},
                        "badOwners");
        if (!owners.emplace(serial, domain).second)
            return fail(
                Errc::config,
                fmt::format("{}:{}: {} stands there twice", file, number, base::printable(serial, 60)), {},
                "badOwners");
    }
    return owners;
}

Result<Grant> decide(const Envelope& envelope, MasaPolicy policy, base::TimePoint now)
{
    policy.knowledge.now = now;
    const auto verdict = check_registrar_request(envelope, policy.knowledge);
    if (!verdict.report.good()) return fail(verdict.report.error("voucher-request"));
    const auto& request = *verdict.request;
    const auto pinned = policy.pin == Pin::registrar ? verdict.registrar.front() : verdict.registrar.back();
    const auto domain = domain_id(pinned);
    const auto owner = policy.owners.find(request.serial_number);
    if (owner == policy.owners.end() && (policy.owners_only || !verdict.idevid))
        return fail(Errc::refused,
                    fmt::format("device {} is not known here", base::printable(request.serial_number, 100)),
                    {}, "unknownDevice");
    if (owner != policy.owners.end() && owner->second != domain)
        return fail(
            Errc::refused,
            fmt::format("device {} belongs to another domain", base::printable(request.serial_number, 100)),
            {}, "owner");
    Grant grant;
    auto& voucher = grant.voucher;
    voucher.assertion = owner != policy.owners.end() ? "verified"
                        : verdict.proximity          ? "proximity"
                                                     : "logged";
    voucher.serial_number = request.serial_number;
    voucher.nonce = request.nonce;
    voucher.created_on = now;
    // RFC 8366 section 5.3: a voucher has a nonce or an end.
    if (voucher.nonce.empty()) voucher.expires_on = now + policy.nonceless_lifetime;
    voucher.idevid_issuer = verdict.idevid ? idevid_issuer(*verdict.idevid) : request.idevid_issuer;
    voucher.pinned_domain_cert = pinned.der();
    grant.event = {now, domain, voucher.nonce, voucher.assertion, 0};
    return grant;
}

int http_status_of(const Error& error)
{
    if (error.reason == "unknownDevice") return 404;
    if (error.code == Errc::refused) return 403;
    return error.code == Errc::protocol || error.code == Errc::bad_input ? 400 : 500;
}

} // namespace acmetool::brski
