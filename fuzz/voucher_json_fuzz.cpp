// The JSON inside of vouchers and voucher-requests.
#include <cstddef>

#include "base/bytes.h"
#include "brski/voucher.h"

extern "C" int fuzz_voucher_json(const unsigned char* data, std::size_t size)
{
    using namespace acmetool;
    using namespace acmetool::brski;
    if (const auto voucher = parse_voucher(as_text({data, size})))
        static_cast<void>(parse_voucher(to_json(*voucher)).value());
    if (const auto request = parse_voucher_request(as_text({data, size})))
        static_cast<void>(parse_voucher_request(to_json(*request)).value());
    return 0;
}
