#include <doctest/doctest.h>

#include <map>

#include "http/proxy.h"

using namespace acmetool;

namespace
{

/// The proxy for https://acme.example.com/ with these variables.
http::Proxy proxy_with(const std::map<std::string, std::string>& set,
                       const std::string& url = "https://acme.example.com/directory")
{
    return http::proxy_of(url, [&](const char* name) {
        const auto found = set.find(name);
        return found == set.end() ? std::string{} : found->second;
    });
}

} // namespace

TEST_CASE("FLD-A11: the proxy of the environment is named as libcurl chooses it, without its password")
{
    CHECK(proxy_with({}).url.empty());
    CHECK(proxy_with({{"http_proxy", "http://p:1"}}).url.empty());
    CHECK(proxy_with({{"https_proxy", "http://p:1"}, {"ALL_PROXY", "q"}}).url == "http://p:1");
    CHECK(proxy_with({{"ALL_PROXY", "q:2"}}).variable == "ALL_PROXY");
    CHECK(proxy_with({{"HTTPS_PROXY", "http://user:se@cret@p:1/x"}}).url == "http://p:1/x");
    CHECK(proxy_with({{"https_proxy", "user:secret@p:1"}}).url == "p:1");
    for (const auto* list :
         {"*", "example.com", ".example.com", "localhost, ACME.example.com", "a b example.com"})
        CHECK(proxy_with({{"https_proxy", "http://p:1"}, {"no_proxy", list}}).url.empty());
    for (const auto* list : {"ample.com", "com.", "other.example.com", "", ","})
        CHECK(proxy_with({{"https_proxy", "http://p:1"}, {"NO_PROXY", list}}).url == "http://p:1");
    CHECK(proxy_with({{"https_proxy", "p"}, {"no_proxy", "[::1]"}}, "https://[::1]/").url.empty());
}
