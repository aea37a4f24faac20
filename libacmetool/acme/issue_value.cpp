#include "acme/issue_value.h"

#include <algorithm>

#include <fmt/core.h>

#include "base/text.h"

namespace acmetool::acme
{
namespace
{

/// RFC 8659 section 4.2: "value = *(%x21-3A / %x3C-7E)".
bool fits_value(char c)
{
    return c > 0x20 && c < 0x7f && c != ';';
}

/// "tag = (ALPHA / DIGIT) *( *("-") (ALPHA / DIGIT))"; `tag` is in lower case.
bool is_tag(std::string_view tag)
{
    return !tag.empty() && tag.front() != '-' && tag.back() != '-' &&
           std::all_of(tag.begin(), tag.end(),
                       [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; });
}

} // namespace

std::vector<std::string_view> IssueValue::values_of(std::string_view tag) const
{
    std::vector<std::string_view> values;
    for (const auto& [name, value] : parameters)
        if (name == tag) values.emplace_back(value);
    return values;
}

Result<std::string> IssueValue::text() const
{
    auto text = issuer;
    for (const auto& [tag, value] : parameters) {
        const auto odd = std::find_if_not(value.begin(), value.end(), fits_value);
        if (odd != value.end())
            return fail(Errc::bad_input,
                        fmt::format("{} \"{}\": has {}, which CAA and dns-persist-01 records cannot hold",
                                    tag, base::printable(value),
                                    *odd == ';'                               ? "a semicolon"
                                    : *odd == ' ' || *odd == '\t'             ? "a space"
                                    : static_cast<unsigned char>(*odd) > 0x7f ? "an octet that is not ASCII"
                                                                              : "a control character"),
                        "the syntax of RFC 8659 section 4.2 cannot escape it: ask the CA for an account URL "
                        "without it",
                        "badIssueValue");
        text += fmt::format("; {}={}", tag, value);
    }
    return text;
}

std::optional<IssueValue> parse_issue_value(std::string_view text)
{
    const auto parts = base::split(text, ';');
    IssueValue read;
    read.issuer = base::to_lower(base::trim(parts.front()));
    for (std::size_t i = 1; i < parts.size(); ++i) {
        const auto part = base::trim(parts[i]);
        if (part.empty() && i + 1 == parts.size()) break;
        const auto equals = part.find('=');
        if (equals == std::string_view::npos) return std::nullopt;
        auto tag = base::to_lower(base::trim(part.substr(0, equals)));
        const auto value = base::trim(part.substr(equals + 1));
        if (!is_tag(tag) || !std::all_of(value.begin(), value.end(), fits_value)) return std::nullopt;
        read.parameters.emplace_back(std::move(tag), value);
    }
    return read;
}

} // namespace acmetool::acme
