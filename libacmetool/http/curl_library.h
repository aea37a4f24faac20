#pragma once

#include <curl/curl.h>

#include <memory>

#include "base/result.h"

namespace acmetool::http
{

/// The functions of libcurl that we call, under their names without "curl_". Their types are those of
/// <curl/curl.h>, so calls are checked like direct ones. Another function needs one line here and one in
/// curl_library.cpp.
struct CurlLibrary {
    decltype(&curl_easy_init) easy_init;
    decltype(&curl_easy_cleanup) easy_cleanup;
    decltype(&curl_easy_reset) easy_reset;
    decltype(&curl_easy_setopt) easy_setopt;
    decltype(&curl_easy_perform) easy_perform;
    decltype(&curl_easy_getinfo) easy_getinfo;
    decltype(&curl_easy_strerror) easy_strerror;
    decltype(&curl_multi_init) multi_init;
    decltype(&curl_multi_cleanup) multi_cleanup;
    decltype(&curl_multi_setopt) multi_setopt;
    decltype(&curl_multi_add_handle) multi_add_handle;
    decltype(&curl_multi_remove_handle) multi_remove_handle;
    decltype(&curl_multi_assign) multi_assign;
    decltype(&curl_multi_socket_action) multi_socket_action;
    decltype(&curl_multi_info_read) multi_info_read;
    decltype(&curl_slist_append) slist_append;
    decltype(&curl_slist_free_all) slist_free_all;
};

/// libcurl, loaded at the first call and never unloaded. Safe to call from several threads.
///
/// It depends on 26 libraries (LDAP, Kerberos, RTMP, SSH), whose loading takes longer than everything else
/// that csr-build does; programs that send nothing do not load it. Errors: config, reason "libcurl".
Result<const CurlLibrary*> curl_library();

struct CurlDeleter {
    void operator()(CURL* easy) const noexcept { (*curl_library())->easy_cleanup(easy); }
    void operator()(curl_slist* list) const noexcept { (*curl_library())->slist_free_all(list); }
};
using CurlEasy = std::unique_ptr<CURL, CurlDeleter>;
using CurlList = std::unique_ptr<curl_slist, CurlDeleter>;

} // namespace acmetool::http
