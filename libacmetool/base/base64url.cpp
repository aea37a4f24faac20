#include "base/base64url.h"

#include <algorithm>
#include <array>

namespace acmetool::base
{
namespace
{

constexpr std::string_view kUrlAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::string_view kStandardAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

constexpr std::array<std::int16_t, 256> values_of(std::string_view alphabet)
{
    std::array<std::int16_t, 256> values{};
    for (auto& value : values)
        value = -1;
    for (std::size_t i = 0; i < alphabet.size(); ++i)
        values[static_cast<unsigned char>(alphabet[i])] = static_cast<std::int16_t>(i);
    return values;
}

constexpr auto kUrlValues = values_of(kUrlAlphabet);
constexpr auto kStandardValues = values_of(kStandardAlphabet);

std::string encode(ByteView bytes, std::string_view alphabet)
{
    std::string text;
    text.reserve((bytes.size() + 2) / 3 * 4);
    std::uint32_t bits = 0;
    int count = 0;
    for (const auto octet : bytes) {
        bits = bits << 8U | octet;
        for (count += 8; count >= 6; count -= 6)
            text += alphabet[bits >> (count - 6) & 63U];
    }
    if (count > 0) text += alphabet[bits << (6 - count) & 63U];
    return text;
}

/// Decodes text without padding; false at a foreign character, an impossible length or left-over bits.
bool decode(std::string_view text, const std::array<std::int16_t, 256>& values, Bytes& out)
{
    if (text.size() % 4 == 1) return false;
    out.reserve(text.size() / 4 * 3 + 2);
    std::uint32_t bits = 0;
    int count = 0;
    for (const char c : text) {
        const int value = values[static_cast<unsigned char>(c)];
        if (value < 0) return false;
        bits = (bits << 6U | static_cast<std::uint32_t>(value)) & 0xffffU;
        count += 6;
        if (count >= 8) {
            count -= 8;
            out.push_back(static_cast<std::uint8_t>(bits >> count & 0xffU));
        }
    }
    return (bits & ((1U << count) - 1)) == 0;
}

} // namespace

std::string to_base64url(ByteView bytes)
{
    return encode(bytes, kUrlAlphabet);
}

Result<Bytes> parse_base64url(std::string_view text)
{
    Bytes out;
    if (!decode(text, kUrlValues, out)) return fail(Errc::bad_input, "not base64url without padding");
    return out;
}

bool is_base64url(std::string_view text)
{
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
        return kUrlValues[static_cast<unsigned char>(c)] >= 0;
    });
}

std::string to_base64(ByteView bytes)
{
    std::string text = encode(bytes, kStandardAlphabet);
    text.append((4 - text.size() % 4) % 4, '=');
    return text;
}

Result<Bytes> parse_base64(std::string_view text)
{
    std::string compact;
    std::copy_if(text.begin(), text.end(), std::back_inserter(compact),
                 [](char c) { return c != ' ' && c != '\t' && c != '\r' && c != '\n'; });
    std::string_view digits = compact;
    for (int i = 0; i < 2 && digits.ends_with('='); ++i)
        digits.remove_suffix(1);
    Bytes out;
    if (compact.size() % 4 != 0 || !decode(digits, kStandardValues, out))
        return fail(Errc::bad_input, "not base64");
    return out;
}

} // namespace acmetool::base
