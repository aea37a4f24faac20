// What comes in at a standalone http-01 listener.
#include <cstddef>
#include <string_view>

#include "acme/standalone.h"

extern "C" int fuzz_http_challenge(const unsigned char* data, std::size_t size)
{
    using namespace acmetool;
    const std::string_view text{reinterpret_cast<const char*>(data), size};
    const auto find = [](std::string_view token) -> std::optional<std::string> {
        if (token == "token") return "token.thumbprint";
        return std::nullopt;
    };
    const auto reply = acme::answer_http01(text, find);
    if (reply && !reply->starts_with("HTTP/1.1 ")) __builtin_trap();
    // Nothing is given away without its token.
    if (reply && reply->find("thumbprint") != std::string::npos &&
        text.find("/.well-known/acme-challenge/token ") == std::string_view::npos)
        __builtin_trap();
    static_cast<void>(acme::parse_listen_address(text).has_value());
    return 0;
}
