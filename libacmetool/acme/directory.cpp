#include "acme/directory.h"

#include <algorithm>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/text.h"
#include "dns/name.h"

namespace acmetool::acme
{
namespace
{

constexpr std::size_t kLongestUrl = 4096;
constexpr std::size_t kLongestProfile = 100;

/// RFC 3986 section 2: reserved, unreserved, and the percent sign.
bool may_be_in_url(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view{"-._~:/?#[]@!$&'()*+,;=%"}.find(c) != std::string_view::npos;
}

/// A profile's name appears in hints and on command lines: no spaces and no control characters.
bool is_profile_name(std::string_view name)
{
    return !name.empty() && name.size() <= kLongestProfile &&
           std::all_of(name.begin(), name.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

/// Nothing unless it is the beginning of an https URL: it stands in DNS records.
std::string read_hash_prefix(const base::Json& meta)
{
    const auto prefix = base::string_member(meta, "accountHashPrefix").value_or("");
    return origin_of(prefix).empty() ? "" : prefix;
}

/// One to ten names in normal form, or none at all.
std::vector<std::string> read_issuer_names(const base::Json& meta)
{
    constexpr std::size_t kMostNames = 10;
    const auto list = meta.find("issuerDomainNames");
    if (list == meta.end() || !list->is_array() || list->size() > kMostNames) return {};
    std::vector<std::string> names;
    for (const auto& entry : *list) {
        const auto name = entry.is_string() ? entry.get<std::string>() : std::string{};
        const auto normal = dns::normalize_name(name);
        if (!normal || *normal != name) return {};
        names.push_back(name);
    }
    return names;
}

} // namespace

std::string origin_of(std::string_view url)
{
    constexpr std::string_view kScheme = "https://";
    if (!base::equals_ignoring_case(url.substr(0, kScheme.size()), kScheme)) return {};
    if (url.size() > kLongestUrl || !std::all_of(url.begin(), url.end(), may_be_in_url)) return {};
    const auto authority =
        url.substr(kScheme.size(), url.find_first_of("/?#", kScheme.size()) - kScheme.size());
    if (authority.empty() || authority.find('@') != std::string_view::npos) return {};
    auto origin = std::string{kScheme} + base::to_lower(authority);
    if (origin.ends_with(":443")) origin.resize(origin.size() - 4);
    return origin;
}

bool Directory::owns(std::string_view resource) const
{
    const auto origin = origin_of(resource);
    const auto same = [&](const std::string& listed) {
        return !listed.empty() && origin_of(listed) == origin;
    };
    return !origin.empty() && (same(url) || same(new_order) || same(new_account) || same(new_authz) ||
                               same(new_nonce) || same(revoke_cert));
}

Result<Directory> parse_directory(std::string_view json, std::string_view url)
{
    const auto what = fmt::format("directory {}", url);
    auto object = base::parse_json_object(json, what);
    if (!object) {
        object.error().code = Errc::protocol;
        object.error().hint = "give the URL of an ACME directory, which often ends in /directory or /dir";
        object.error().reason = "notADirectory";
        return fail(std::move(object).error());
    }
    Directory directory;
    directory.url = url;
    const auto read = [&](const char* name, std::string& member) {
        member = base::string_member(*object, name).value_or("");
        return member.empty() || !origin_of(member).empty();
    };
    for (const auto& [name, member] :
         {std::pair{"newNonce", &directory.new_nonce}, std::pair{"newAccount", &directory.new_account},
          std::pair{"newOrder", &directory.new_order}, std::pair{"newAuthz", &directory.new_authz},
          std::pair{"revokeCert", &directory.revoke_cert}, std::pair{"keyChange", &directory.key_change},
          std::pair{"renewalInfo", &directory.renewal_info}}) {
        if (!read(name, *member))
            return fail(
                Errc::protocol,
                fmt::format("{}: \"{}\" is not an https URL: {}", what, name, base::printable(*member)),
                "ACME requires HTTPS (RFC 8555 section 6.1)", "notHttps");
    }
    if (directory.new_nonce.empty() || directory.new_account.empty() || directory.new_order.empty())
        return fail(Errc::protocol, fmt::format("{}: lacks newNonce, newAccount or newOrder", what),
                    "give the URL of an ACME directory, which often ends in /directory or /dir",
                    "notADirectory");
    if (const auto meta = object->find("meta"); meta != object->end() && meta->is_object()) {
        directory.terms_of_service = base::string_member(*meta, "termsOfService").value_or("");
        directory.external_account_required = base::bool_member(*meta, "externalAccountRequired", false);
        directory.subdomain_auth_allowed = base::bool_member(*meta, "subdomainAuthAllowed", false);
        if (const auto profiles = meta->find("profiles"); profiles != meta->end() && profiles->is_object())
            for (const auto& [name, description] : profiles->items())
                if (is_profile_name(name))
                    directory.profiles.emplace(
                        name, description.is_string() ? base::printable(description.get<std::string>()) : "");
        directory.account_hash_prefix = read_hash_prefix(*meta);
        directory.issuer_domain_names = read_issuer_names(*meta);
        if (const auto names = meta->find("caaIdentities"); names != meta->end() && names->is_array())
            for (const auto& name : *names)
                if (const auto normal = dns::normalize_name(name.is_string() ? name.get<std::string>() : ""))
                    directory.caa_identities.push_back(*normal);
    }
    return directory;
}

} // namespace acmetool::acme
