#include "http/text_response.h"

#include "base/text.h"

namespace acmetool::http
{

ServerResponse text_response(int status, std::string_view sentence)
{
    if (status == 202 || status == 401) return {status, {}, "", false};
    return {status, {{"Content-Type", "text/plain"}}, base::printable(sentence) + "\n", false};
}

} // namespace acmetool::http
