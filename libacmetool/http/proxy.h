#pragma once

#include <functional>
#include <string>

#include "base/result.h"

/// The proxies of the environment, which libcurl uses for requests.
namespace acmetool::http
{

/// A proxy and the variable that names it.
struct Proxy {
    std::string variable; ///< "https_proxy"
    std::string url;      ///< without user name and password; empty: the host is contacted directly
};

/// The value of an environment variable; empty if it is not set.
using Variable = std::function<std::string(const char* name)>;

/// The proxy that libcurl uses for an https URL: https_proxy, HTTPS_PROXY, all_proxy or ALL_PROXY, unless
/// no_proxy or NO_PROXY lists the host or a parent domain, or is "*" (CURLOPT_NOPROXY(3)). Pure.
ACMETOOL_EXPORT Proxy proxy_of(const std::string& url, const Variable& variable);

/// The same with the variables of this process.
Proxy proxy_of(const std::string& url);

} // namespace acmetool::http
