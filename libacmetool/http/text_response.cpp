#include "http/text_response.h"

#include "base/text.h"

namespace acmetool::http
{

ServerResponse text_response(int status, std::string_view sentence)
{
    return text_lines(status, {std::string{sentence}});
}

ServerResponse text_lines(int status, const std::vector<std::string>& lines)
{
    if (status == 202 || status == 401) return {status, {}, "", false};
    std::string text;
    for (const auto& line : lines)
        text += base::printable(line) + "\n";
    return {status, {{"Content-Type", "text/plain"}}, std::move(text), false};
}

} // namespace acmetool::http
