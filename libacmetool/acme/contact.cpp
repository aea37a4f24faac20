#include "acme/contact.h"

#include <algorithm>
#include <optional>
#include <string>

#include <fmt/core.h>

#include "base/text.h"

namespace acmetool::acme
{
namespace
{

bool is_alphanumeric(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/// The text without percent-encoding (RFC 3986 section 2.1); nothing if it is malformed.
std::optional<std::string> without_percents(std::string_view text)
{
    const auto digit = [](char c) {
        return c >= '0' && c <= '9'   ? c - '0'
               : c >= 'a' && c <= 'f' ? c - 'a' + 10
               : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                      : -1;
    };
    std::string plain;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            plain += text[i];
            continue;
        }
        if (i + 2 >= text.size() || digit(text[i + 1]) < 0 || digit(text[i + 2]) < 0) return std::nullopt;
        plain += static_cast<char>(digit(text[i + 1]) * 16 + digit(text[i + 2]));
        i += 2;
    }
    return plain;
}

/// The place of the "@" of the one address; npos if it is none or several (RFC 5322 section 3.4.1).
std::size_t at_of(std::string_view address)
{
    std::size_t at = 0;
    if (address.starts_with('"')) {
        for (at = 1; at < address.size() && address[at] != '"'; ++at)
            if (address[at] == '\\') ++at;
        ++at;
    } else {
        // RFC 5322 section 3.2.3: no "specials" in an atom, but for the dots between them.
        at = std::min(address.find_first_of("@,;:<>()[]\\\" "), address.size());
        if (at == 0) return std::string_view::npos;
    }
    return at < address.size() && address[at] == '@' ? at : std::string_view::npos;
}

bool is_mail_domain(std::string_view domain)
{
    if (domain.starts_with('[')) return domain.find(']') == domain.size() - 1;
    return !domain.empty() && !domain.starts_with('.') && !domain.ends_with('.') &&
           std::all_of(domain.begin(), domain.end(), [](char c) {
               return is_alphanumeric(c) || c == '-' || c == '.' || static_cast<unsigned char>(c) >= 0x80;
           });
}

/// Why it is no mailto: URL for one address; empty if it is one.
std::string_view objection_to_mailto(std::string_view to)
{
    if (to.find('?') != std::string_view::npos) return "a mailto contact must have no header fields (\"?\")";
    if (to.find(',') != std::string_view::npos) return "a mailto contact must have only one address";
    const auto address = without_percents(to);
    if (!address || to.find('#') != std::string_view::npos ||
        std::any_of(address->begin(), address->end(),
                    [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }))
        return "not a mailto URL";
    const auto at = at_of(*address);
    if (at == std::string_view::npos || !is_mail_domain(std::string_view{*address}.substr(at + 1)))
        return "not one mail address";
    return {};
}

} // namespace

Result<void> check_contact(std::string_view contact)
{
    const auto colon = std::min(contact.find(':'), contact.size());
    const auto scheme = contact.substr(0, colon);
    const bool is_url =
        colon < contact.size() - 1 && !scheme.empty() &&
        std::all_of(scheme.begin(), scheme.end(),
                    [](char c) { return is_alphanumeric(c) || c == '+' || c == '-' || c == '.'; }) &&
        std::all_of(contact.begin(), contact.end(), [](char c) { return c > 0x20 && c < 0x7f; });
    const auto objection = !is_url ? std::string_view{"not a URL"}
                           : base::equals_ignoring_case(scheme, "mailto")
                               ? objection_to_mailto(contact.substr(colon + 1))
                               : std::string_view{};
    if (objection.empty()) return {};
    return fail(Errc::bad_input, fmt::format("contact {}: {}", base::printable(contact, 200), objection),
                "give one address in each, for example mailto:ops@example.com", "invalidContact");
}

} // namespace acmetool::acme
