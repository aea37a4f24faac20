#include "net/endpoint.h"

#include <algorithm>
#include <charconv>

#include <fmt/core.h>

#include "base/text.h"

namespace acmetool::net
{

std::string Endpoint::text() const
{
    return host.find(':') == std::string::npos ? fmt::format("{}:{}", host, port)
                                               : fmt::format("[{}]:{}", host, port);
}

Result<Endpoint> parse_endpoint(std::string_view text, std::uint16_t port_if_absent)
{
    Endpoint endpoint;
    std::string_view port;
    if (text.starts_with('[')) {
        const auto close = text.find(']');
        endpoint.host = text.substr(1, close == std::string_view::npos ? close : close - 1);
        port = close == std::string_view::npos ? "?" : text.substr(close + 1);
        if (port.starts_with(':')) port.remove_prefix(1);
    } else if (std::count(text.begin(), text.end(), ':') == 1) {
        endpoint.host = text.substr(0, text.find(':'));
        port = text.substr(text.find(':') + 1);
        if (port.empty()) port = "?";
    } else {
        endpoint.host = text; // a bare IPv6 address has more colons
    }
    unsigned number = port_if_absent;
    if (!port.empty()) {
        const auto [end, problem] = std::from_chars(port.data(), port.data() + port.size(), number);
        if (problem != std::errc{} || end != port.data() + port.size()) number = 0;
    }
    if (endpoint.host.empty() || number == 0 || number > 65535)
        return fail(Errc::usage, fmt::format("\"{}\" is not a server", base::printable(text)),
                    "write HOST, HOST:PORT or [IPV6]:PORT", "badServer");
    endpoint.port = static_cast<std::uint16_t>(number);
    return endpoint;
}

Result<Endpoint> parse_listen(std::string_view text, std::uint16_t port_if_absent)
{
    const bool any_port = text.ends_with(":0");
    ACMETOOL_TRY(endpoint, parse_endpoint(any_port ? std::string{text.substr(0, text.size() - 1)} + "1"
                                                   : std::string{text},
                                          port_if_absent));
    if (any_port) endpoint.port = 0;
    return endpoint;
}

} // namespace acmetool::net
