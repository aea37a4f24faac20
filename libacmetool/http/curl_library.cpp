#include "http/curl_library.h"

#include "base/loaded_library.h"

namespace acmetool::http
{
namespace
{

Result<CurlLibrary> load()
{
    CurlLibrary curl{};
    base::LoadedLibrary library{"libcurl.so.4"}; // the interface has had this number since 2006
    library.take(curl.easy_init, "curl_easy_init")
        .take(curl.easy_cleanup, "curl_easy_cleanup")
        .take(curl.easy_reset, "curl_easy_reset")
        .take(curl.easy_setopt, "curl_easy_setopt")
        .take(curl.easy_perform, "curl_easy_perform")
        .take(curl.easy_getinfo, "curl_easy_getinfo")
        .take(curl.easy_strerror, "curl_easy_strerror")
        .take(curl.multi_init, "curl_multi_init")
        .take(curl.multi_cleanup, "curl_multi_cleanup")
        .take(curl.multi_setopt, "curl_multi_setopt")
        .take(curl.multi_add_handle, "curl_multi_add_handle")
        .take(curl.multi_remove_handle, "curl_multi_remove_handle")
        .take(curl.multi_assign, "curl_multi_assign")
        .take(curl.multi_socket_action, "curl_multi_socket_action")
        .take(curl.multi_info_read, "curl_multi_info_read")
        .take(curl.slist_append, "curl_slist_append")
        .take(curl.slist_free_all, "curl_slist_free_all");
    ACMETOOL_CHECK(library.result("install libcurl; on Debian: apt install libcurl4", "libcurl"));
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
