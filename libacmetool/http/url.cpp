#include "http/url.h"

#include <algorithm>
#include <charconv>
#include <optional>

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

/// The host and port as a URL writes them; '%' of a zone is "%25" there (RFC 6874 section 2).
std::string with_port(const std::string& host, std::string_view zone, std::uint16_t port)
{
    const bool v6 = host.find(':') != std::string::npos;
    const auto name = v6 ? fmt::format("[{}{}{}]", host, zone.empty() ? "" : "%25", zone) : host;
    return port == 443 ? name : fmt::format("{}:{}", name, port);
}

/// The zone of an IPv6 literal in a URL, after "%25" or, as people write it, "%"; nothing if there is none.
/// Only link-local addresses have one, and interfaces' names are case-sensitive.
std::optional<std::string_view> zone_of(std::string_view literal)
{
    constexpr std::string_view kEscaped = "%25";
    constexpr std::size_t kLongestZone = 64;
    const auto percent = literal.find('%');
    if (percent == std::string_view::npos) return std::string_view{};
    auto zone = literal.substr(percent + 1);
    if (literal.substr(percent).starts_with(kEscaped)) zone = literal.substr(percent + kEscaped.size());
    const auto is_zone_character = [](char c) {
        return is_host_character(c) || (c >= 'A' && c <= 'Z') || c == '~';
    };
    if (zone.empty() || zone.size() > kLongestZone ||
        !std::all_of(zone.begin(), zone.end(), is_zone_character))
        return std::nullopt;
    return zone;
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
    const auto percent = host.find('%');
    if (percent == std::string::npos) return with_port(host, {}, port);
    return with_port(host.substr(0, percent), std::string_view{host}.substr(percent + 1), port);
}

std::string Url::host_field() const
{
    return with_port(host.substr(0, host.find('%')), {}, port);
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
    const auto literal = v6 ? authority.substr(1, close - 1) : authority.substr(0, colon);
    const auto zone = v6 ? zone_of(literal) : std::string_view{};
    if (!zone) return bad_url(text, "the zone of the address is malformed");
    url.host = base::to_lower(v6 ? literal.substr(0, literal.find('%')) : literal);
    const bool known = v6 ? std::all_of(url.host.begin(), url.host.end(),
                                        [](char c) { return is_host_character(c) || c == ':'; })
                          : std::all_of(url.host.begin(), url.host.end(), is_host_character);
    if (url.host.empty() || !known || (v6 && colon != close + 1 && close + 1 != authority.size()))
        return bad_url(text, "contains no host name");
    if (!zone->empty()) url.host += fmt::format("%{}", *zone);
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
