// CMS messages with content and signers.
#include <cstddef>

#include "crypto/cms.h"

using namespace acmetool;

extern "C" int fuzz_signed_data(const unsigned char* data, std::size_t size)
{
    if (const auto message = crypto::parse_signed_data({data, size}))
        static_cast<void>(crypto::verify_signed_data(*message).has_value());
    static_cast<void>(crypto::parse_signed_content({data, size}).has_value());
    return 0;
}
