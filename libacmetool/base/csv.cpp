#include "base/csv.h"

#include <algorithm>

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

/// Takes the quoted field that begins at `at`, with both quotes.
Result<std::string> take_quoted(std::string_view line, std::size_t& at)
{
    std::string field;
    for (;;) {
        const auto quote = line.find('"', ++at);
        if (quote == std::string_view::npos) return malformed("a double quote is not closed");
        field += line.substr(at, quote - at);
        at = quote + 1;
        if (at == line.size() || line[at] != '"') return field;
        field += '"';
    }
}

bool is_blank(char c)
{
    return trim({&c, 1}).empty();
}

bool begins_comment(std::string_view line, std::size_t at)
{
    return line[at] == '#' && (at == 0 || is_blank(line[at - 1]));
}

} // namespace

Result<std::vector<std::string>> csv_fields(std::string_view line, std::optional<char> separator)
{
    if (line.find('\0') != std::string_view::npos)
        return fail(Errc::bad_input, "a NUL octet", "save the file as UTF-8, not as UTF-16");
    std::vector<std::string> fields;
    for (std::size_t at = 0;; ++at) {
        while (at < line.size() && is_blank(line[at]))
            ++at;
        const bool quoted = at < line.size() && line[at] == '"';
        std::string field;
        if (quoted) {
            ACMETOOL_TRY(content, take_quoted(line, at));
            field = std::move(content);
        }
        const auto begin = at;
        while (at < line.size() && line[at] != separator.value_or(',') && !begins_comment(line, at))
            ++at;
        const auto plain = trim(line.substr(begin, at - begin));
        if (quoted && !plain.empty()) return malformed("there is text behind a closing double quote");
        if (!separator && plain.find(';') != std::string_view::npos)
            return fail(Errc::bad_input, "a semicolon outside double quotes",
                        "write the field in double quotes; if semicolons separate the fields, begin the list "
                        "with a heading that has them, such as serial;label");
        fields.push_back(quoted ? std::move(field) : std::string{plain});
        if (at == line.size() || line[at] == '#') return fields;
    }
}

Result<std::optional<std::vector<std::string>>> CsvList::read(std::string_view line)
{
    line = trim(line);
    if (line.empty() || line.starts_with('#') || is_heading(line))
        return std::optional<std::vector<std::string>>{};
    may_be_heading_ = false;
    ACMETOOL_TRY(fields, csv_fields(line, separator_));
    const auto empty = [](const auto& field) { return field.empty(); };
    if (std::all_of(fields.begin(), fields.end(), empty)) return std::optional<std::vector<std::string>>{};
    return std::optional{std::move(fields)};
}

/// Takes the separator from the heading.
bool CsvList::is_heading(std::string_view line)
{
    if (!may_be_heading_) return false;
    for (const char separator : {',', ';'}) {
        const auto fields = csv_fields(line, separator);
        if (!fields || !equals_ignoring_case(fields->front(), "serial")) continue;
        if (fields->size() > 1) separator_ = separator;
        may_be_heading_ = false;
        return true;
    }
    return false;
}

std::string to_csv_field(std::string_view text)
{
    const auto plain = csv_fields(text);
    if (plain && plain->size() == 1 && plain->front() == text && !text.starts_with('"'))
        return std::string{text};
    std::string field = "\"";
    for (const char c : text) {
        if (c == '"') field += '"';
        field += c;
    }
    return field + '"';
}

} // namespace acmetool::base
