// Problem documents.
#include <cstddef>
#include <string_view>

#include "acme/problem.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size)
{
    const std::string_view text{reinterpret_cast<const char*>(data), size};
    if (const auto problem = acmetool::acme::parse_problem(text))
        static_cast<void>(acmetool::acme::describe(*problem).size());
    return 0;
}
