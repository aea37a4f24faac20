#include "crypto/der.h"

#include <algorithm>
#include <string>

#include <fmt/core.h>

#include "base/text.h"
#include "crypto/openssl.h"

namespace acmetool::crypto::der
{
namespace
{

constexpr std::uint8_t kConstructed = 0x20;
constexpr std::uint8_t kLongTag = 0x1f;
constexpr std::size_t kLongestOid = 128;

tl::unexpected<Error> malformed(std::string message)
{
    return fail(Errc::bad_input, std::move(message), {}, "der");
}

} // namespace

Result<Element> Reader::next(std::string_view what)
{
    if (rest_.empty()) return malformed(fmt::format("{} is missing", what));
    const auto cut = [&] { return malformed(fmt::format("{} is truncated", what)); };
    if ((rest_[0] & kLongTag) == kLongTag) return malformed(fmt::format("{} has a tag above 30", what));
    if (rest_.size() < 2) return cut();
    std::size_t header = 2;
    std::size_t length = rest_[1];
    if (length >= 0x80) {
        const std::size_t count = length & 0x7fU;
        if (count == 0 || count > 4)
            return malformed(fmt::format("{} has a length that DER does not allow", what));
        header += count;
        if (rest_.size() < header) return cut();
        length = 0;
        for (std::size_t i = 2; i < header; ++i)
            length = length << 8U | rest_[i];
        // X.690 section 10.1: the definite form with the fewest octets.
        if (length < 0x80 || rest_[2] == 0)
            return malformed(fmt::format("{} has a length that is not minimal", what));
    }
    if (length > rest_.size() - header) return cut();
    const Element found{rest_[0], rest_.subspan(header, length), rest_.first(header + length)};
    rest_ = rest_.subspan(header + length);
    return found;
}

Result<Element> Reader::expect(std::uint8_t tag, std::string_view what)
{
    if (!rest_.empty() && rest_.front() != tag)
        return malformed(fmt::format("{} has tag 0x{:02x} instead of 0x{:02x}", what, rest_.front(), tag));
    return next(what);
}

Result<void> Reader::end(std::string_view what) const
{
    if (!rest_.empty()) return malformed(fmt::format("{} unexpected octets after {}", rest_.size(), what));
    return {};
}

Result<void> check_nesting(ByteView bytes, int depth)
{
    if (depth == 0) return malformed("nested too deeply");
    Reader reader{bytes};
    while (!reader.at_end()) {
        ACMETOOL_TRY(found, reader.next("an element"));
        if ((found.tag & kConstructed) != 0) ACMETOOL_CHECK(check_nesting(found.value, depth - 1));
    }
    return {};
}

namespace
{

Result<void> check_distinguished(const Element& element, int depth)
{
    constexpr std::uint8_t kClass = 0xc0;
    const bool constructed = (element.tag & kConstructed) != 0;
    const bool universal = (element.tag & kClass) == 0;
    const auto number = static_cast<std::uint8_t>(element.tag & ~kConstructed);
    const bool must_be = (number | kConstructed) == kSequence || (number | kConstructed) == kSet;
    if (universal && constructed != must_be)
        return malformed(fmt::format("an element of tag 0x{:02x}, which DER does not allow", element.tag));
    const auto value = element.value;
    if (element.tag == kBoolean && (value.size() != 1 || (value[0] != 0 && value[0] != 0xff)))
        return malformed("a BOOLEAN that is not in DER");
    if (element.tag == kInteger &&
        (value.empty() || (value.size() > 1 && (value[0] == 0 || value[0] == 0xff) &&
                           (value[0] >= 0x80) == (value[1] >= 0x80))))
        return malformed("an INTEGER that is not minimal");
    if (!constructed) return {};
    if (depth == 0) return malformed("nested too deeply");
    for (Reader members{value}; !members.at_end();) {
        ACMETOOL_TRY(member, members.next("an element"));
        ACMETOOL_CHECK(check_distinguished(member, depth - 1));
    }
    return {};
}

} // namespace

Result<void> check_der(ByteView bytes, int depth)
{
    Reader reader{bytes};
    ACMETOOL_TRY(whole, reader.next("an element"));
    ACMETOOL_CHECK(reader.end("the element"));
    return check_distinguished(whole, depth);
}

Result<std::string> oid_text(ByteView content)
{
    const auto bad = [] { return malformed("a malformed object identifier"); };
    if (content.empty() || content.size() > kLongestOid || (content.back() & 0x80U) != 0) return bad();
    std::string text;
    std::uint64_t number = 0;
    bool first_octet = true;
    for (const auto octet : content) {
        // X.690 section 8.19.2: "the leading octet of the subidentifier shall not have the value 80".
        if ((first_octet && octet == 0x80) || number > (UINT64_MAX >> 7U)) return bad();
        number = number << 7U | (octet & 0x7fU);
        first_octet = (octet & 0x80U) == 0;
        if (!first_octet) continue;
        if (text.empty()) {
            const auto top = std::min<std::uint64_t>(number / 40, 2);
            text = fmt::format("{}.{}", top, number - top * 40);
        } else {
            text += fmt::format(".{}", number);
        }
        number = 0;
    }
    return text;
}

Result<int> small_integer(ByteView content, std::string_view what)
{
    const bool padded = content.size() > 1 && content[0] == 0 && content[1] < 0x80;
    if (content.empty() || content[0] >= 0x80 || content.size() > 4 || padded)
        return malformed(fmt::format("{} is not a number in range", what));
    int number = 0;
    for (const auto octet : content)
        number = number << 8 | octet;
    return number;
}

Bytes element(std::uint8_t tag, ByteView content)
{
    Bytes out{tag};
    const std::size_t size = content.size();
    if (size < 0x80) {
        out.push_back(static_cast<std::uint8_t>(size));
    } else {
        std::size_t count = 1;
        while (size >> (8 * count) != 0)
            ++count;
        out.push_back(static_cast<std::uint8_t>(0x80U | count));
        for (; count > 0; --count)
            out.push_back(static_cast<std::uint8_t>(size >> (8 * (count - 1)) & 0xffU));
    }
    append(out, content);
    return out;
}

Bytes element(std::uint8_t tag, std::initializer_list<Bytes> parts)
{
    Bytes content;
    for (const auto& part : parts)
        append(content, part);
    return element(tag, content);
}

Bytes integer(unsigned number)
{
    Bytes octets;
    do {
        octets.insert(octets.begin(), static_cast<std::uint8_t>(number & 0xffU));
        number >>= 8U;
    } while (number != 0);
    if (octets.front() >= 0x80) octets.insert(octets.begin(), 0);
    return element(kInteger, octets);
}

Result<Bytes> oid(std::string_view dotted)
{
    const Owned<ASN1_OBJECT, ASN1_OBJECT_free> object{OBJ_txt2obj(std::string{dotted}.c_str(), 1)};
    if (!object)
        return openssl_failure(Errc::bad_input,
                               fmt::format("\"{}\" is not an object identifier", base::printable(dotted)));
    const auto* octets = OBJ_get0_data(object.get());
    return element(kOid, ByteView{octets, OBJ_length(object.get())});
}

} // namespace acmetool::crypto::der
