#include "dns/name.h"

#include <arpa/inet.h>
#include <idn2.h>

#include <algorithm>
#include <memory>

#include <fmt/core.h>

#include "base/loaded_library.h"
#include "base/text.h"

namespace acmetool::dns
{
namespace
{

constexpr std::size_t kLongestName = 253;
constexpr std::size_t kLongestLabel = 63;

std::string_view without_dot(std::string_view name)
{
    if (name.ends_with('.')) name.remove_suffix(1);
    return name;
}

/// The functions of libidn2 that we call, under their names without "idn2_".
struct IdnLibrary {
    decltype(&idn2_free) free;
    decltype(&idn2_to_ascii_8z) to_ascii_8z;
    decltype(&idn2_to_unicode_8z8z) to_unicode_8z8z;
    decltype(&idn2_strerror) strerror;
};

Result<IdnLibrary> load_idn()
{
    IdnLibrary idn{};
    base::LoadedLibrary library{"libidn2.so.0"};
    library.take(idn.free, "idn2_free")
        .take(idn.to_ascii_8z, "idn2_to_ascii_8z")
        .take(idn.to_unicode_8z8z, "idn2_to_unicode_8z8z")
        .take(idn.strerror, "idn2_strerror");
    ACMETOOL_CHECK(library.result("install libidn2; on Debian: apt install libidn2-0", "libidn2"));
    return idn;
}

/// Loaded by the first name that is not all ASCII, or has an A-label.
const Result<IdnLibrary>& idn_library()
{
    static const Result<IdnLibrary> library = load_idn();
    return library;
}

struct IdnFree {
    void operator()(char* text) const noexcept { idn_library()->free(text); }
};

/// U-labels to A-labels, by IDNA 2008 without the transitional mappings.
Result<std::string> to_ascii(std::string_view name)
{
    if (name.find('\0') != std::string_view::npos)
        return fail(Errc::bad_input, fmt::format("{}: a NUL in a name", base::printable(name)), {},
                    "badLabel");
    ACMETOOL_CHECK(idn_library());
    char* out = nullptr;
    const int code =
        idn_library()->to_ascii_8z(std::string{name}.c_str(), &out, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
    const std::unique_ptr<char, IdnFree> owned{out};
    if (code != IDN2_OK)
        return fail(Errc::bad_input,
                    fmt::format("{}: {}", base::printable(name), idn_library()->strerror(code)),
                    "not a name that IDNA 2008 allows", "badLabel");
    return std::string{out};
}

/// RFC 5890 section 2.3.2.1: an A-label is the encoding of a U-label, and nothing else that begins with
/// "xn--". Needs libidn2.
bool is_a_label(std::string_view label)
{
    const auto& idn = idn_library();
    char* unicode = nullptr;
    const std::string text{label};
    const int decoded = idn->to_unicode_8z8z(text.c_str(), &unicode, 0);
    const std::unique_ptr<char, IdnFree> owned_unicode{unicode};
    if (decoded != IDN2_OK) return false;
    char* ascii = nullptr;
    const int encoded = idn->to_ascii_8z(unicode, &ascii, IDN2_NONTRANSITIONAL);
    const std::unique_ptr<char, IdnFree> owned_ascii{ascii};
    return encoded == IDN2_OK && text == ascii;
}

Result<void> check_label(std::string_view label, std::string_view name)
{
    const auto bad = [&](std::string_view what, const char* reason, const char* hint = "") {
        return fail(Errc::bad_input, fmt::format("{}: {}", base::printable(name, kLongestName), what), hint,
                    reason);
    };
    if (label.empty()) return bad("an empty label", "emptyName");
    if (label.size() > kLongestLabel) return bad("a label of more than 63 characters", "labelTooLong");
    if (label.find('_') != std::string_view::npos)
        return bad("an underscore", "underscoreInName",
                   "host names in certificates only contain letters, digits and hyphens");
    const bool ldh = std::all_of(label.begin(), label.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
    });
    if (!ldh || label.front() == '-' || label.back() == '-')
        return bad(fmt::format("\"{}\" is not a host name label", base::printable(label)), "badLabel",
                   "use letters, digits and hyphens, without a hyphen at either end (RFC 1034 section 3.5)");
    if (label.size() < 4 || label.substr(2, 2) != "--") return {};
    if (!label.starts_with("xn--"))
        return bad(fmt::format("\"{}\" has \"--\" in positions 3 and 4", label), "badLabel",
                   "such labels are reserved (RFC 5890 section 2.3.1)");
    ACMETOOL_CHECK(idn_library());
    if (!is_a_label(label))
        return bad(fmt::format("\"{}\" does not decode", label), "badALabel",
                   "an A-label must encode an IDNA 2008 label");
    return {};
}

} // namespace

Result<std::string> normalize_name(std::string_view name, NameRules rules)
{
    std::string_view rest = without_dot(name);
    if (rest.empty()) return fail(Errc::bad_input, "an empty name", "give a domain name", "emptyName");
    if (is_ip_literal(rest))
        return fail(Errc::bad_input, fmt::format("{}: an IP address, not a domain name", rest),
                    "addresses are identifiers of type ip (RFC 8738)", "ipLiteral");
    const bool wildcard = rest.starts_with("*.");
    if (wildcard && !rules.allow_wildcard)
        return fail(
            Errc::bad_input, fmt::format("{}: a wildcard", base::printable(rest, kLongestName)),
            "wildcards must be allowed explicitly, and newAuthz accepts none (RFC 8555 section 7.4.1)",
            "wildcardNotAllowed");
    if (wildcard) rest.remove_prefix(2);
    std::string ascii = base::to_lower(rest);
    const bool plain =
        std::all_of(rest.begin(), rest.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
    if (!plain) {
        ACMETOOL_TRY(converted, to_ascii(rest));
        ascii = base::to_lower(converted);
    }
    const auto labels = base::split(ascii, '.');
    for (const auto label : labels)
        ACMETOOL_CHECK(check_label(label, ascii));
    if (wildcard) ascii.insert(0, "*.");
    if (ascii.size() > kLongestName)
        return fail(Errc::bad_input, fmt::format("{}...: longer than 253 characters", ascii.substr(0, 60)),
                    {}, "nameTooLong");
    return ascii;
}

Result<std::vector<std::string>> normalize_names(const std::vector<std::string>& names, NameRules rules)
{
    std::vector<std::string> normal;
    for (const auto& name : names) {
        ACMETOOL_TRY(one, normalize_name(name, rules));
        if (std::find(normal.begin(), normal.end(), one) == normal.end()) normal.push_back(std::move(one));
    }
    return normal;
}

bool same_name(std::string_view a, std::string_view b)
{
    return base::equals_ignoring_case(without_dot(a), without_dot(b));
}

bool is_subdomain_of(std::string_view name, std::string_view ancestor)
{
    name = without_dot(name);
    ancestor = without_dot(ancestor);
    // "ooo.example.com" is not below "oo.example.com": the character before the ancestor must be a dot.
    return !ancestor.empty() && name.size() > ancestor.size() + 1 &&
           name[name.size() - ancestor.size() - 1] == '.' &&
           base::equals_ignoring_case(name.substr(name.size() - ancestor.size()), ancestor);
}

std::string validation_name(std::string_view identifier)
{
    if (identifier.starts_with("*.")) identifier.remove_prefix(2);
    return fmt::format("_acme-challenge.{}", without_dot(identifier));
}

bool is_ip_literal(std::string_view text)
{
    const std::string copy{text};
    unsigned char address[16];
    if (copy.find('\0') != std::string::npos) return false; // C functions stop there
    return inet_pton(AF_INET, copy.c_str(), address) == 1 || inet_pton(AF_INET6, copy.c_str(), address) == 1;
}

} // namespace acmetool::dns
