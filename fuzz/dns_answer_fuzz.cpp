// Answers of DNS servers, and what of them answers the question.
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "dns/query.h"

extern "C" int fuzz_dns_answer(const unsigned char* data, std::size_t size)
{
    const std::string_view text{reinterpret_cast<const char*>(data), size};
    // "a.b. TXT", with Id 0.
    constexpr std::array<std::uint8_t, 21> kAsked{0, 0, 1,   0, 0,   1, 0, 0,  0, 0, 0,
                                                  0, 1, 'a', 1, 'b', 0, 0, 16, 0, 1};
    static_cast<void>(acmetool::dns::is_reply_to(kAsked, acmetool::as_bytes(text)));
    const auto answer = acmetool::dns::parse_answer(acmetool::as_bytes(text));
    if (answer)
        static_cast<void>(acmetool::dns::chain_of(answer->answers, "a.b", acmetool::dns::Type::txt).size());
    return 0;
}
