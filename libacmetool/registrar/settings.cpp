#include "registrar/settings.h"

#include <fmt/core.h>

#include "brski/idevid.h"

namespace acmetool::registrar
{
namespace
{

constexpr std::chrono::hours kAnyTime{24 * 365 * 1000};

} // namespace

Result<std::string> Manufacturer::masa_of(const crypto::Certificate& idevid) const
{
    if (!options.masa_url.empty()) return brski::parse_masa_url(options.masa_url);
    ACMETOOL_TRY(named, brski::masa_url(idevid));
    if (!named)
        return fail(Errc::refused, "the IDevID names no MASA, and none is configured",
                    "set masa_url for this manufacturer", "masaUrl");
    ACMETOOL_CHECK(may_ask(options, *named));
    return *named;
}

Origin Settings::origin_of(const std::vector<crypto::Certificate>& chain, base::TimePoint now) const
{
    if (chain.empty() || manufacturers.empty()) return {};
    const auto made = [&](const Manufacturer& manufacturer, Result<enrol::Identity> identity) -> Origin {
        if (!identity) return {&manufacturer, std::move(identity).error(), {}};
        auto id = fmt::format("{}/{}", identity->id(), identity->key);
        return {&manufacturer,
                {},
                Pledge{&manufacturer, std::move(*identity), {std::move(id), to_hex(chain.front().sha256())}}};
    };
    auto identity = identities.identify(chain, now, {});
    if (identity) {
        const auto* manufacturer = find(identity->manufacturer);
        if (manufacturer == nullptr) return {};
        if (manufacturer->crls == nullptr) return made(*manufacturer, std::move(identity));
        return made(*manufacturer, identities.identify(chain, now, manufacturer->crls));
    }
    for (const auto& one : manufacturers)
        if (one.anchors.is_above(chain)) return {&one, std::move(identity).error(), {}};
    // A path that the registration authority accepts may end below the manufacturer's anchors, because the
    // device left an intermediate out. It has only certificates that were verified, none of the device's
    // choice.
    auto policy = crypto::PathPolicy::idevid(now);
    policy.grace = kAnyTime; // the registration authority may have another grace than the manufacturer here
    auto accepted = devices.verify(chain, policy);
    if (!accepted) return {};
    accepted->insert(accepted->end(), device_anchors.begin(), device_anchors.end());
    for (const auto& one : manufacturers)
        if (one.anchors.is_above(*accepted)) return made(one, identities.identify(*accepted, now, one.crls));
    return {};
}

const Manufacturer* Settings::find(std::string_view name) const
{
    for (const auto& one : manufacturers)
        if (one.options.name == name) return &one;
    return nullptr;
}

} // namespace acmetool::registrar
