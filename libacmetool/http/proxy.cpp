#include "http/proxy.h"

#include <algorithm>
#include <array>
#include <cstdlib>

#include "base/text.h"
#include "http/url.h"

namespace acmetool::http
{
namespace
{

/// True if `list` (no_proxy) names `host`, one of its parents, or all.
bool lists(std::string_view list, std::string_view host)
{
    std::string words = base::to_lower(list);
    std::replace_if(
        words.begin(), words.end(), [](char c) { return c == ' ' || c == '\t'; }, ',');
    for (auto word : base::split(words, ',')) {
        if (word == "*") return true;
        if (word.starts_with('[') && word.ends_with(']')) word = word.substr(1, word.size() - 2);
        while (word.starts_with('.'))
            word.remove_prefix(1);
        if (word.empty() || !host.ends_with(word)) continue;
        if (host.size() == word.size() || host[host.size() - word.size() - 1] == '.') return true;
    }
    return false;
}

/// Without the user name and the password, which must not be displayed.
std::string without_user(const std::string& url)
{
    const auto scheme = url.find("://");
    const auto begin = scheme == std::string::npos ? 0 : scheme + 3;
    const auto at = url.rfind('@'); // a password may contain '/'
    return at == std::string::npos || at < begin ? url : url.substr(0, begin) + url.substr(at + 1);
}

} // namespace

Proxy proxy_of(const std::string& url, const Variable& variable)
{
    constexpr std::array kProxies{"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"};
    const auto parts = parse_url(url);
    if (!parts) return {};
    auto exceptions = variable("no_proxy");
    if (exceptions.empty()) exceptions = variable("NO_PROXY");
    if (lists(exceptions, parts->host)) return {};
    for (const auto* name : kProxies)
        if (const auto value = variable(name); !value.empty())
            return {name, base::printable(without_user(value), 200)};
    return {};
}

Proxy proxy_of(const std::string& url)
{
    return proxy_of(url, [](const char* name) -> std::string {
        const char* value = std::getenv(name);
        return value == nullptr ? "" : value;
    });
}

} // namespace acmetool::http
