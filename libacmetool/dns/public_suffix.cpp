#include "dns/public_suffix.h"

#include <libpsl.h>

#include <memory>
#include <string_view>

#include "base/loaded_library.h"

namespace acmetool::dns
{
namespace
{

/// The functions of libpsl that we call, under their names without "psl_".
struct PslLibrary {
    decltype(&psl_latest) latest;
    decltype(&psl_free) free;
    decltype(&psl_is_public_suffix2) is_public_suffix2;
    decltype(&psl_registrable_domain) registrable_domain;
};

Result<PslLibrary> load()
{
    PslLibrary psl{};
    base::LoadedLibrary library{"libpsl.so.5"};
    library.take(psl.latest, "psl_latest")
        .take(psl.free, "psl_free")
        .take(psl.is_public_suffix2, "psl_is_public_suffix2")
        .take(psl.registrable_domain, "psl_registrable_domain");
    ACMETOOL_CHECK(library.result("install libpsl; on Debian: apt install libpsl5", "libpsl"));
    return psl;
}

} // namespace

std::optional<NameKind> kind_of(const std::string& name)
{
    static const Result<PslLibrary> psl = load();
    if (!psl) return std::nullopt;
    // Read each time, because the list is only used a few times per process.
    const std::unique_ptr<psl_ctx_t, void (*)(psl_ctx_t*)> list{psl->latest(nullptr), psl->free};
    if (!list) return std::nullopt;
    if (psl->is_public_suffix2(list.get(), name.c_str(), PSL_TYPE_ANY | PSL_TYPE_NO_STAR_RULE) != 0)
        return NameKind::public_suffix;
    const char* registrable = psl->registrable_domain(list.get(), name.c_str());
    return registrable != nullptr && std::string_view{registrable} == name ? NameKind::registrable
                                                                           : NameKind::below;
}

} // namespace acmetool::dns
