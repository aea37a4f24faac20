// relay.toml.
#include <cstddef>
#include <string_view>

#include "relay/config.h"

extern "C" int fuzz_relay_config(const unsigned char* data, std::size_t size)
{
    const std::string_view text{reinterpret_cast<const char*>(data), size};
    static_cast<void>(acmetool::relay::parse_relay_config(text, "relay.toml").has_value());
    return 0;
}
