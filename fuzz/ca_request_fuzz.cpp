// What acme-ca gets from clients: signed requests, and the payloads of newAccount, newOrder, finalize and
// keyChange. The input is a request, or a payload by itself.
#include <cstddef>
#include <string_view>

#include <nlohmann/json.hpp>

#include "ca/payloads.h"

using namespace acmetool;

namespace
{

void read_payload(std::string_view text)
{
    static_cast<void>(ca::parse_key_change(text).has_value());
    const auto payload = base::parse_json_object(text, "payload");
    if (!payload) return;
    static_cast<void>(ca::parse_account_request(*payload).has_value());
    static_cast<void>(ca::parse_finalize(*payload).has_value());
    if (const auto order = ca::parse_new_order(*payload))
        for (const auto& identifier : order->identifiers)
            static_cast<void>(ca::checked_name(identifier, true).has_value());
}

} // namespace

extern "C" int fuzz_ca_request(const unsigned char* data, std::size_t size)
{
    const std::string_view text{reinterpret_cast<const char*>(data), size};
    if (const auto request = ca::parse_request(text)) read_payload(as_text(request->jws.payload));
    read_payload(text);
    return 0;
}
