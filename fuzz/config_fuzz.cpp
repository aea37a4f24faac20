// Configuration files.
#include <cstddef>
#include <string_view>

#include "cli/config.h"

extern "C" int fuzz_config(const unsigned char* data, std::size_t size)
{
    const std::string_view text{reinterpret_cast<const char*>(data), size};
    static_cast<void>(acmetool::cli::parse_config(text, "fuzz.toml", "run", {"run", "new"}).has_value());
    return 0;
}
