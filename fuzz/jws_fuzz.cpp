// Signed requests, as acme-ca gets them.
#include <cstddef>
#include <string_view>

#include <nlohmann/json.hpp>

#include "base/json.h"
#include "jose/jwk.h"
#include "jose/jws.h"

extern "C" int fuzz_jws(const unsigned char* data, std::size_t size)
{
    const std::string_view text{reinterpret_cast<const char*>(data), size};
    static_cast<void>(acmetool::jose::parse_jws(text).has_value());
    // A key in it, or by itself.
    if (const auto object = acmetool::base::parse_json_object(text, "jwk"))
        if (const auto key = acmetool::jose::parse_jwk(*object))
            static_cast<void>(acmetool::jose::thumbprint(*key).has_value());
    return 0;
}
