// Status messages of pledges.
#include <cstddef>

#include "base/bytes.h"
#include "brski/status.h"

extern "C" int fuzz_brski_status(const unsigned char* data, std::size_t size)
{
    using namespace acmetool;
    using namespace acmetool::brski;
    std::string unknown;
    if (const auto status = parse_status(as_text({data, size}), &unknown))
        static_cast<void>(parse_status(to_json(*status)).value());
    return 0;
}
