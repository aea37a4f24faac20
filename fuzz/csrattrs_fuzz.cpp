// CSR attributes, and the request that they ask for.
#include <cstddef>

#include "est/csr_filling.h"
#include "est/csrattrs.h"

using namespace acmetool;

extern "C" int fuzz_csrattrs(const unsigned char* data, std::size_t size)
{
    static const auto key = *crypto::generate_key("ec:P-256");
    const auto asked = est::parse_csrattrs({data, size});
    if (!asked) return 0;
    est::Filling filling;
    filling.suggestions = {{"dns", "device.example.com"}, {"ip", "192.0.2.1"}};
    filling.serial_number = "SN-1";
    for (const bool names : {false, true}) {
        if (names) filling.identifiers = {{"dns", "other.example.com"}, {"ip", "2001:db8::1"}};
        if (const auto filled = est::fill_csr(*asked, filling))
            static_cast<void>(crypto::build_csr(key, filled->options).has_value());
        filling.suggestions.clear();
    }
    static_cast<void>(est::fill_csr(*asked, {}).has_value());
    static_cast<void>(est::check_key(*asked, key).has_value());
    return 0;
}
