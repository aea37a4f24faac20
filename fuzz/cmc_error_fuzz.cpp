// Full PKI Responses.
#include <cstddef>

#include "est/cmc_error.h"

using namespace acmetool;

extern "C" int fuzz_cmc_error(const unsigned char* data, std::size_t size)
{
    if (const auto error = est::parse_cmc_error({data, size})) static_cast<void>(error->describe().size());
    return 0;
}
