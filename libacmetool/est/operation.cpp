#include "est/operation.h"

#include <algorithm>
#include <array>

#include <fmt/core.h>

#include "base/text.h"

namespace acmetool::est
{
namespace
{

constexpr std::string_view kWellKnown = "/.well-known/est";
constexpr std::array<std::string_view, 6> kOperations{"cacerts", "simpleenroll", "simplereenroll",
                                                      "fullcmc", "serverkeygen", "csrattrs"};

constexpr std::size_t kLongestLabel = 64;

/// RFC 3986 section 2.3.
bool is_unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view{"-._~"}.find(c) != std::string_view::npos;
}

/// Another server may have others, percent-encoded.
bool is_label_character(char c)
{
    return is_unreserved(c) || c == '%';
}

/// RFC 7030 section 3.2.2: "Such a CA label ... MUST NOT be the same as any of the defined operation path
/// segments".
bool is_operation(std::string_view label)
{
    return std::find(kOperations.begin(), kOperations.end(), label) != kOperations.end();
}

} // namespace

bool is_server_label(std::string_view label)
{
    return !label.empty() && label.size() <= kLongestLabel && !is_operation(label) &&
           std::all_of(label.begin(), label.end(), is_unreserved);
}

std::string_view name_of(Operation operation)
{
    switch (operation) {
    case Operation::cacerts:
        return "cacerts";
    case Operation::csrattrs:
        return "csrattrs";
    case Operation::simpleenroll:
        return "simpleenroll";
    case Operation::simplereenroll:
        return "simplereenroll";
    }
    return "cacerts";
}

Result<http::Url> url_of(const ServerUrl& server, Operation operation)
{
    auto url = http::parse_url(server.url);
    if (!url) {
        url.error().code = Errc::usage;
        return fail(with_context(std::move(url).error(), "--server"));
    }
    std::string label = server.label;
    while (url->target.ends_with('/'))
        url->target.pop_back();
    if (url->target.starts_with(kWellKnown)) {
        auto rest = url->target.substr(kWellKnown.size());
        if (rest.starts_with('/') && label.empty())
            label = rest.substr(1);
        else if (!rest.empty() && rest != "/" + label)
            return fail(Errc::usage, fmt::format("--server {}: not an EST server's URL", server.url),
                        "give https://HOST:PORT, and a label with --label", "badUrl");
    } else if (!url->target.empty()) {
        return fail(Errc::usage, fmt::format("--server {}: the path of EST is {}", server.url, kWellKnown),
                    "give https://HOST:PORT, and a label with --label", "badUrl");
    }
    const bool taken = is_operation(label);
    if (taken || !std::all_of(label.begin(), label.end(), is_label_character))
        return fail(Errc::usage, fmt::format("\"{}\" cannot be a label", base::printable(label, 100)),
                    taken ? "it is the name of an operation" : "a label is one segment of a path",
                    "badLabel");
    url->target = fmt::format("{}{}{}/{}", kWellKnown, label.empty() ? "" : "/", label, name_of(operation));
    return url;
}

} // namespace acmetool::est
