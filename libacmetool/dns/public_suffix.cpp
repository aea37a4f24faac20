#include "dns/public_suffix.h"

#include <libpsl.h>

#include <memory>
#include <string_view>

namespace acmetool::dns
{

std::optional<NameKind> kind_of(const std::string& name)
{
    // Read each time, because the list is only used a few times per process.
    const std::unique_ptr<psl_ctx_t, void (*)(psl_ctx_t*)> list{psl_latest(nullptr), psl_free};
    if (!list) return std::nullopt;
    if (psl_is_public_suffix2(list.get(), name.c_str(), PSL_TYPE_ANY | PSL_TYPE_NO_STAR_RULE) != 0)
        return NameKind::public_suffix;
    const char* registrable = psl_registrable_domain(list.get(), name.c_str());
    return registrable != nullptr && std::string_view{registrable} == name ? NameKind::registrable
                                                                           : NameKind::below;
}

} // namespace acmetool::dns
