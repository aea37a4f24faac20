#include "base/body_text.h"

#include "base/text.h"

namespace acmetool::base
{

std::string_view trim_body(std::string_view body)
{
    body = trim(body);
    while (body.ends_with('\0')) {
        body.remove_suffix(1);
        body = trim(body);
    }
    return body;
}

} // namespace acmetool::base
