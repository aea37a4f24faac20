#include "base/steering.h"

#include <algorithm>

#include <fmt/core.h>

namespace acmetool::base
{

std::size_t steering_length(std::string_view text)
{
    const auto octet = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    if (text.empty()) return 0;
    if (octet(0) < 0x20 || octet(0) == 0x7f) return 1;
    if (text.size() >= 2 && octet(0) == 0xc2 && octet(1) >= 0x80 && octet(1) < 0xa0) return 2;
    if (text.size() < 3 || octet(0) != 0xe2) return 0;
    const auto last = octet(2);
    const bool steers =
        (octet(1) == 0x80 && (last == 0x8e || last == 0x8f || (last >= 0xa8 && last <= 0xae))) ||
        (octet(1) == 0x81 && last >= 0xa6 && last <= 0xa9);
    return steers ? 3 : 0;
}

std::string escape_steering(std::string json)
{
    const auto may_steer = [](char c) { return c == '\x7f' || c == '\xc2' || c == '\xe2'; };
    if (std::none_of(json.begin(), json.end(), may_steer)) return json;
    std::string escaped;
    escaped.reserve(json.size());
    for (std::size_t at = 0; at < json.size();) {
        const auto length =
            may_steer(json[at]) ? steering_length(std::string_view{json}.substr(at)) : std::size_t{0};
        if (length == 0) {
            escaped += json[at++];
            continue;
        }
        unsigned code = static_cast<unsigned char>(json[at]) & (length == 1   ? 0x7fU
                                                                : length == 2 ? 0x1fU
                                                                              : 0x0fU);
        for (std::size_t i = 1; i < length; ++i)
            code = code << 6U | (static_cast<unsigned char>(json[at + i]) & 0x3fU);
        escaped += fmt::format("\\u{:04x}", code);
        at += length;
    }
    return escaped;
}

} // namespace acmetool::base
