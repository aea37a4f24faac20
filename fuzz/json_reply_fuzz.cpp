// Objects that an ACME server sends.
#include <cstddef>
#include <string_view>

#include "acme/authorization.h"
#include "acme/directory.h"
#include "acme/order.h"
#include "acme/preauth.h"
#include "base/text.h"

extern "C" int fuzz_json_reply(const unsigned char* data, std::size_t size)
{
    const std::string_view text{reinterpret_cast<const char*>(data), size};
    using namespace acmetool;
    static_cast<void>(acme::parse_order(text, "https://ca.example/order/1").has_value());
    for (const auto& scope : {acme::scope_of_order({{"dns", "*.example.org"}, {"ip", "192.0.2.1"}}),
                              acme::scope_of_name("example.org")})
        if (const auto authorization = acme::parse_authorization(text, "https://ca.example/authz/1", scope)) {
            const auto why = authorization->why_not_valid();
            if (base::printable(why, why.size() + 1) != why) __builtin_trap();
            static_cast<void>(authorization->find_challenge("dns-01"));
        }
    static_cast<void>(acme::parse_directory(text, "https://ca.example/directory").has_value());
    static_cast<void>(acme::parse_preauth(text).has_value());
    return 0;
}
