#include "base/csv.h"

#include "base/text.h"

namespace acmetool::base
{
namespace
{

tl::unexpected<Error> malformed(std::string_view why)
{
    return fail(Errc::bad_input, std::string{why},
                "a field that begins with a double quote ends with one; write one in it as two (RFC 4180)");
}

/// Takes the quoted field at the beginning of `rest`, which follows a double quote, with both quotes.
Result<std::string> take_quoted(std::string_view& rest)
{
    std::string field;
    for (;;) {
        const auto quote = rest.find('"');
        if (quote == std::string_view::npos) return malformed("a double quote is not closed");
        field += rest.substr(0, quote);
        rest.remove_prefix(quote + 1);
        if (!rest.starts_with('"')) return field;
        field += '"';
        rest.remove_prefix(1);
    }
}

} // namespace

Result<std::vector<std::string>> csv_fields(std::string_view line)
{
    if (line.find('\0') != std::string_view::npos)
        return fail(Errc::bad_input, "a NUL octet", "save the file as UTF-8, not as UTF-16");
    std::vector<std::string> fields;
    for (;;) {
        auto rest = trim(line);
        const bool quoted = rest.starts_with('"');
        std::string field;
        if (quoted) {
            rest.remove_prefix(1);
            ACMETOOL_TRY(content, take_quoted(rest));
            field = std::move(content);
        }
        const auto comma = rest.find(',');
        const auto plain = trim(rest.substr(0, comma));
        if (quoted && !plain.empty()) return malformed("there is text behind a closing double quote");
        fields.push_back(quoted ? std::move(field) : std::string{plain});
        if (comma == std::string_view::npos) return fields;
        line = rest.substr(comma + 1);
    }
}

std::string to_csv_field(std::string_view text)
{
    const bool plain = text.find_first_of("\",") == std::string_view::npos && !text.starts_with('#') &&
                       trim(text).size() == text.size();
    if (plain) return std::string{text};
    std::string field = "\"";
    for (const char c : text) {
        if (c == '"') field += '"';
        field += c;
    }
    return field + '"';
}

} // namespace acmetool::base
