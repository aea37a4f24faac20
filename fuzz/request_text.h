#pragma once

#include <string_view>

#include "base/text.h"
#include "http/server.h"

namespace fuzz
{

/// The text up to the next line feed, which is removed from `rest`.
inline std::string_view take_line(std::string_view& rest)
{
    const auto end = rest.find('\n');
    const auto line = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    return line;
}

/// A request as it comes out of the HTTP parser: method, target, header lines, an empty line, the body.
inline acmetool::http::ServerRequest read_request(std::string_view text)
{
    using namespace acmetool;
    http::ServerRequest request;
    request.method = take_line(text);
    request.target = take_line(text);
    for (auto field = take_line(text); !field.empty(); field = take_line(text))
        if (const auto colon = field.find(':'); colon != std::string_view::npos)
            request.headers.emplace_back(base::to_lower(field.substr(0, colon)),
                                         base::trim(field.substr(colon + 1)));
    request.body = text;
    return request;
}

} // namespace fuzz
