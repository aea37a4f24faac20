#include "registrar/settings.h"

#include "brski/idevid.h"
#include "crypto/path.h"

namespace acmetool::registrar
{

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

const Manufacturer* Settings::manufacturer_of(const std::vector<crypto::Certificate>& chain,
                                              base::TimePoint now) const
{
    if (chain.empty()) return nullptr;
    for (const auto& one : manufacturers)
        if (one.anchors.verify(chain, crypto::PathPolicy::idevid(now))) return &one;
    return nullptr;
}

const Manufacturer* Settings::find(std::string_view name) const
{
    for (const auto& one : manufacturers)
        if (one.options.name == name) return &one;
    return nullptr;
}

} // namespace acmetool::registrar
