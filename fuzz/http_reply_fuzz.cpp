// An HTTP reply in two pieces, and what is read out of its headers.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "http/authentication.h"
#include "http/response_reader.h"
#include "http/url.h"

using namespace acmetool;

extern "C" int fuzz_http_reply(const std::uint8_t* data, std::size_t size)
{
    const std::string_view text{reinterpret_cast<const char*>(data), size};
    http::ResponseReader reader{4096};
    if (!reader.put(text.substr(0, size / 2)) || !reader.put(text.substr(size / 2)) || !reader.end())
        return 0;
    const auto response = reader.take();
    if (const auto challenge = http::choose_challenge(response.headers, http::AuthScheme::any))
        static_cast<void>(http::answer(*challenge, {"user", base::Secret{"password"}, http::AuthScheme::any},
                                       {"POST", "/", "cnonce", 1}));
    if (const auto location = http::find(response.headers, "location"))
        static_cast<void>(http::resolve(http::Url{"a.example", 443, "/b/c"}, *location));
    return 0;
}
