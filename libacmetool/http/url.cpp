#include "http/url.h"

#include <algorithm>
#include <charconv>

#include <fmt/core.h>

#include "base/text.h"

namespace acmetool::http
{
namespace
{

constexpr std::string_view kScheme = "https://";
constexpr std::size_t kLongestUrl = 4096;

tl::unexpected<Error> bad_url(std::string_view text, std::string_view why)
{
    return fail(Errc::bad_input, fmt::format("{}: {}", base::printable(text, 200), why),
                "a URL looks like https://host:port/path", "badUrl");
}

bool is_host_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
}

/// The path without its last segment, "/a/b?c" to "/a/".
std::string_view folder_of(std::string_view target)
{
    const auto path = target.substr(0, target.find('?'));
    return path.substr(0, path.rfind('/') + 1);
}

} // namespace

std::string Url::authority() const
{
    const bool v6 = host.find(':') != std::string::npos;
    const std::string name = v6 ? "[" + host + "]" : host;
    return port == 443 ? name : fmt::format("{}:{}", name, port);
}

std::string Url::origin() const
{
    return std::string{kScheme} + authority();
}

std::string Url::text() const
{
    return origin() + target;
}

Result<Url> parse_url(std::string_view text)
{
    if (text.size() > kLongestUrl) return bad_url(text, "too long for a URL");
    if (std::any_of(text.begin(), text.end(), [](char c) { return c <= ' ' || c > '~'; }))
        return bad_url(text, "not a URL");
    if (!base::equals_ignoring_case(text.substr(0, kScheme.size()), kScheme))
        return fail(Errc::bad_input, fmt::format("{}: not an https URL", base::printable(text, 200)),
                    "only https:// URLs are allowed", "notHttps");
    auto rest = text.substr(kScheme.size());
    rest = rest.substr(0, rest.find('#'));
    const auto end = rest.find_first_of("/?");
    auto authority = rest.substr(0, end);
    Url url;
    if (end != std::string_view::npos)
        url.target = rest[end] == '?' ? "/" + std::string{rest.substr(end)} : std::string{rest.substr(end)};
    if (authority.find('@') != std::string_view::npos) return bad_url(text, "a user name in the URL");

    const bool v6 = authority.starts_with('[');
    const auto close = v6 ? authority.find(']') : std::string_view::npos;
    if (v6 && close == std::string_view::npos) return bad_url(text, "not a URL");
    const auto colon = authority.find(':', v6 ? close : 0);
    url.host = base::to_lower(v6 ? authority.substr(1, close - 1) : authority.substr(0, colon));
    const bool known = v6 ? std::all_of(url.host.begin(), url.host.end(),
                                        [](char c) { return is_host_character(c) || c == ':'; })
                          : std::all_of(url.host.begin(), url.host.end(), is_host_character);
    if (url.host.empty() || !known || (v6 && colon != close + 1 && close + 1 != authority.size()))
        return bad_url(text, "contains no host name");
    if (colon == std::string_view::npos) return url;
    const auto digits = authority.substr(colon + 1);
    const auto* const last = digits.data() + digits.size();
    const auto [stop, problem] = std::from_chars(digits.data(), last, url.port);
    if (problem != std::errc{} || stop != last || url.port == 0) return bad_url(text, "not a port number");
    return url;
}

Result<Url> resolve(const Url& base, std::string_view reference)
{
    const auto path = reference.substr(0, reference.find_first_of("?#"));
    if (path.find("://") != std::string_view::npos) return parse_url(reference);
    if (reference.starts_with("//")) return parse_url("https:" + std::string{reference});
    if (reference.starts_with('/')) return parse_url(base.origin() + std::string{reference});
    return parse_url(base.origin() + std::string{folder_of(base.target)} + std::string{reference});
}

} // namespace acmetool::http
