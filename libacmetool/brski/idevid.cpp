#include "brski/idevid.h"

#include <fmt/core.h>

#include "base/text.h"
#include "crypto/der.h"
#include "crypto/extension.h"
#include "crypto/oids.h"
#include "http/url.h"

namespace acmetool::brski
{
namespace
{

constexpr std::uint8_t kIa5String = 0x16;
constexpr std::size_t kLongestUrl = 1024;

tl::unexpected<Error> bad_masa_url(std::string_view why)
{
    return fail(Errc::bad_input, fmt::format("MASA URL of the IDevID: {}", why), {}, "masaUrl");
}

} // namespace

std::string well_known(std::string_view resource)
{
    return fmt::format("{}/{}", kWellKnown, resource);
}

Result<std::string> parse_masa_url(std::string_view text)
{
    if (text.empty() || text.size() > kLongestUrl) return bad_masa_url("empty or too long");
    constexpr std::string_view kScheme = "https://";
    const bool whole = text.find('/') != std::string_view::npos;
    if (text.find("://") != std::string_view::npos && !text.starts_with(kScheme))
        return bad_masa_url("not https");
    std::string url{text.starts_with(kScheme) ? "" : kScheme};
    url += text;
    if (!whole) url += kWellKnown;
    while (url.ends_with('/'))
        url.pop_back();
    const auto parsed = http::parse_url(url);
    if (!parsed) return bad_masa_url(base::printable(text, 100));
    if (parsed->target == "/") return url + std::string{kWellKnown};
    if (parsed->target.find('?') != std::string::npos) return bad_masa_url("it has a query");
    return parsed->text();
}

Result<std::optional<std::string>> masa_url(const crypto::Certificate& idevid)
{
    const auto value = crypto::extension_value(idevid, kMasaUrlExtension);
    if (!value) return std::optional<std::string>{};
    crypto::der::Reader reader{*value};
    const auto text = reader.expect(kIa5String, "MASA URL");
    if (!text || !reader.at_end()) return bad_masa_url("not an IA5String");
    ACMETOOL_TRY(url, parse_masa_url(as_text(text->value)));
    return std::optional{std::move(url)};
}

Bytes idevid_issuer(const crypto::Certificate& idevid)
{
    return crypto::extension_value(idevid, crypto::oid::kAuthorityKeyIdentifier).value_or(Bytes{});
}

} // namespace acmetool::brski
