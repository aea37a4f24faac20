#include "common/names.h"

#include <algorithm>

#include "base/text.h"
#include "net/address_range.h"

namespace acmetool::cli
{

Result<std::vector<crypto::Identifier>>
identifiers_of(const std::vector<std::string>& dns, const std::vector<std::string>& ip, dns::NameRules rules)
{
    ACMETOOL_TRY(names, dns::normalize_names(dns, rules));
    std::vector<crypto::Identifier> identifiers;
    identifiers.reserve(names.size() + ip.size());
    for (auto& name : names)
        identifiers.push_back({"dns", std::move(name)});
    for (const auto& text : ip) {
        const auto address = net::canonical_address(text);
        if (!address)
            return fail(Errc::bad_input, "--ip " + base::printable(text) + ": not an IP address", {},
                        "badAddress");
        const crypto::Identifier identifier{"ip", *address};
        if (std::find(identifiers.begin(), identifiers.end(), identifier) == identifiers.end())
            identifiers.push_back(identifier);
    }
    return identifiers;
}

} // namespace acmetool::cli
