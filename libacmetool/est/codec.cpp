#include "est/codec.h"

#include <fmt/core.h>

#include "base/base64url.h"
#include "base/body_text.h"

namespace acmetool::est
{
namespace
{

constexpr std::uint8_t kSequence = 0x30;
constexpr std::string_view kBegin = "-----BEGIN ";
constexpr std::string_view kEnd = "-----END ";
constexpr std::string_view kDashes = "-----";

/// True if a DER SEQUENCE fills `octets`. Text can begin with its tag, the digit "0", but then the length
/// does not match.
bool is_der(std::string_view octets)
{
    const auto at = [&](std::size_t i) { return static_cast<unsigned char>(octets[i]); };
    if (octets.size() < 2 || at(0) != kSequence) return false;
    if (at(1) < 0x80) return octets.size() == 2U + at(1);
    const std::size_t count = at(1) & 0x7fU;
    if (count == 0)
        return octets.size() > 4 && octets.ends_with(std::string_view{"\0\0", 2}); // BER, indefinite
    if (count > 4 || octets.size() < 2 + count) return false;
    std::size_t length = 0;
    for (std::size_t i = 0; i < count; ++i)
        length = length << 8U | at(2 + i);
    return octets.size() - 2 - count == length;
}

/// The base64 inside the first PEM block.
Result<std::string_view> inside_armour(std::string_view text)
{
    const auto bad = [] { return fail(Errc::bad_input, "an incomplete PEM block", {}, "notBase64"); };
    const auto label_end = text.find(kDashes, text.find(kBegin) + kBegin.size());
    if (label_end == std::string_view::npos) return bad();
    const auto from = label_end + kDashes.size();
    const auto to = text.find(kEnd, from);
    if (to == std::string_view::npos) return bad();
    return text.substr(from, to - from);
}

Result<Bytes> decode(std::string_view text)
{
    auto octets = base::parse_base64(text);
    if (!octets)
        return fail(Errc::bad_input, "the body is not base64", "expected base64 of DER (RFC 8951 section 3)",
                    "notBase64");
    if (!octets->empty() && octets->front() != kSequence)
        return fail(Errc::bad_input, "the body's base64 does not contain DER", {}, "notDer");
    return std::move(*octets);
}

} // namespace

Result<Body> parse_body(std::string_view body, BodyRules rules)
{
    if (body.size() > rules.limit)
        return fail(Errc::bad_input, fmt::format("a body of more than {} octets", rules.limit), {},
                    "bodyTooLarge");
    const auto text = base::trim_body(body);
    const bool der = is_der(body);
    const bool pem = !der && text.find(kBegin) != std::string_view::npos;
    if (rules.strict && (der || pem))
        return fail(Errc::bad_input,
                    der ? "the body is DER, not base64" : "the body is PEM, not plain base64",
                    "only base64 without armour is accepted (RFC 8951 section 3)", "notStrictBase64");
    if (der) return Body{{body.begin(), body.end()}, BodyForm::der};
    if (pem) {
        ACMETOOL_TRY(inner, inside_armour(text));
        ACMETOOL_TRY(octets, decode(inner));
        return Body{std::move(octets), BodyForm::pem};
    }
    ACMETOOL_TRY(octets, decode(text));
    const bool broken = text.find_first_of("\r\n") != std::string_view::npos;
    return Body{std::move(octets), broken ? BodyForm::lines : BodyForm::one_line};
}

std::string to_body(ByteView der, std::size_t wrap)
{
    const std::string text = base::to_base64(der);
    if (wrap == 0) return text + '\n';
    std::string wrapped;
    wrapped.reserve(text.size() + text.size() / wrap + 1);
    for (std::size_t at = 0; at < text.size(); at += wrap)
        (wrapped += std::string_view{text}.substr(at, wrap)) += '\n';
    return wrapped;
}

std::size_t wrap_for(BodyForm form)
{
    return form == BodyForm::one_line ? 0 : 64;
}

} // namespace acmetool::est
