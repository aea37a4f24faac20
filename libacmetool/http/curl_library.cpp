#include "http/curl_library.h"

#include <dlfcn.h>

#include <fmt/core.h>

namespace acmetool::http
{
namespace
{

/// The interface has had this number since 2006. Packages must list the dependency, because the linker does
/// not see it.
constexpr const char* kLibrary = "libcurl.so.4";

Result<CurlLibrary> load()
{
    void* const handle = dlopen(kLibrary, RTLD_LAZY | RTLD_LOCAL);
    CurlLibrary curl{};
    const auto find = [handle](auto& function, const char* name) {
        function = reinterpret_cast<std::decay_t<decltype(function)>>(dlsym(handle, name));
        return function != nullptr;
    };
    if (handle == nullptr || !find(curl.easy_init, "curl_easy_init") ||
        !find(curl.easy_cleanup, "curl_easy_cleanup") || !find(curl.easy_reset, "curl_easy_reset") ||
        !find(curl.easy_setopt, "curl_easy_setopt") || !find(curl.easy_perform, "curl_easy_perform") ||
        !find(curl.easy_getinfo, "curl_easy_getinfo") || !find(curl.easy_strerror, "curl_easy_strerror") ||
        !find(curl.multi_init, "curl_multi_init") || !find(curl.multi_cleanup, "curl_multi_cleanup") ||
        !find(curl.multi_setopt, "curl_multi_setopt") ||
        !find(curl.multi_add_handle, "curl_multi_add_handle") ||
        !find(curl.multi_remove_handle, "curl_multi_remove_handle") ||
        !find(curl.multi_perform, "curl_multi_perform") || !find(curl.multi_poll, "curl_multi_poll") ||
        !find(curl.multi_wakeup, "curl_multi_wakeup") ||
        !find(curl.multi_info_read, "curl_multi_info_read") ||
        !find(curl.slist_append, "curl_slist_append") || !find(curl.slist_free_all, "curl_slist_free_all"))
        return fail(Errc::config, fmt::format("{} cannot be loaded: {}", kLibrary, dlerror()),
                    "install libcurl; on Debian: apt install libcurl4", "libcurl");
    return curl;
}

} // namespace

Result<const CurlLibrary*> curl_library()
{
    static const Result<CurlLibrary> library = load();
    if (!library) return fail(library.error());
    return &*library;
}

} // namespace acmetool::http
