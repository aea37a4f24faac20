#include "http/request_rules.h"

#include <algorithm>

#include "base/text.h"

namespace acmetool::http
{

std::string objection_to(const Headers& headers, int minor)
{
    const auto count = [&headers](std::string_view name) {
        return std::count_if(headers.begin(), headers.end(),
                             [&](const auto& field) { return field.first == name; });
    };
    const auto hosts = count("host");
    if (hosts > 1) return "more than one Host header field";
    if (hosts == 0 && minor > 0) return "no Host header field";
    const auto codings = count("transfer-encoding");
    if (codings == 0) return {};
    if (minor == 0) return "Transfer-Encoding in HTTP/1.0";
    if (codings > 1 ||
        !base::equals_ignoring_case(base::trim(*find(headers, "transfer-encoding")), "chunked"))
        return "the only transfer coding understood is chunked";
    if (count("content-length") > 0) return "both Transfer-Encoding and Content-Length";
    return {};
}

std::string origin_form(std::string_view target)
{
    for (const std::string_view scheme : {"http://", "https://"}) {
        if (!base::equals_ignoring_case(target.substr(0, scheme.size()), scheme)) continue;
        const auto end = target.find_first_of("/?", scheme.size());
        if (end == std::string_view::npos) return "/";
        return (target[end] == '?' ? "/" : "") + std::string{target.substr(end)};
    }
    return std::string{target};
}

} // namespace acmetool::http
