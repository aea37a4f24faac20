// PROXY headers, read as a server reads them.
#include <cstddef>

#include "http/proxy_header.h"
#include "net/address_range.h"

extern "C" int fuzz_proxy_header(const unsigned char* data, std::size_t size)
{
    using namespace acmetool;
    for (std::size_t taken = 0;;) {
        const auto header = http::parse_proxy_header({data, taken});
        if (!header) break;
        if (header->more == 0) {
            if (taken == 0 || taken > http::kLongestProxyHeader) __builtin_trap();
            if (!header->address.empty() && net::canonical_address(header->address) != header->address)
                __builtin_trap();
            break;
        }
        if (header->more > size - taken) break;
        taken += header->more;
    }
    static_cast<void>(http::parse_proxy_header({data, size}).has_value());
    return 0;
}
