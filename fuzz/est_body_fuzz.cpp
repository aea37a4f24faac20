// HTTP bodies of EST in every form, both modes.
#include <cstddef>
#include <cstdlib>
#include <string_view>

#include "est/codec.h"

using namespace acmetool;

extern "C" int fuzz_est_body(const unsigned char* data, std::size_t size)
{
    const std::string_view text{reinterpret_cast<const char*>(data), size};
    static_cast<void>(est::parse_body(text, {.strict = true}).has_value());
    const auto body = est::parse_body(text);
    if (!body) return 0;
    // What was read is written so that it is read again, and as the same.
    for (const std::size_t wrap : {0U, 64U}) {
        const auto again =
            est::parse_body(est::to_body(body->der, wrap), {.strict = true, .limit = 8 * size + 64});
        if (body->form != est::BodyForm::der && (!again || again->der != body->der)) std::abort();
    }
    return 0;
}
