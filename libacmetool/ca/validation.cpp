#include "ca/validation.h"

#include <algorithm>
#include <memory>

#include <fmt/core.h>

#include "base/text.h"
#include "ca/payloads.h"
#include "dns/name.h"
#include "dns/query.h"
#include "http/curl_library.h"
#include "http/url.h"
#include "net/address_range.h"
#include "net/address_rules.h"
#include "net/endpoint.h"

namespace acmetool::ca
{
namespace
{

constexpr std::size_t kLongestBody = 4096;

ValidationFailure dns_failure(std::string detail)
{
    return {"dns", std::move(detail), 400};
}

std::size_t take_body(char* data, std::size_t, std::size_t size, void* user)
{
    auto& body = *static_cast<std::string*>(user);
    if (body.size() + size > kLongestBody) return 0;
    body.append(data, size);
    return size;
}

} // namespace

bool is_forbidden_target(const std::string& address, bool allow_loopback)
{
    static const auto kLoopback = net::AddressRange::parse("127.0.0.0/8"); // mapped ones included
    if (allow_loopback && (address == "::1" || kLoopback->contains(address))) return false;
    return !net::is_public_address(address);
}

std::optional<ValidationFailure> find_address(const ValidationOptions& options, const std::string& name,
                                              std::string& address, base::Context& context)
{
    if (dns::is_ip_literal(name)) {
        if (is_forbidden_target(name, options.allow_loopback))
            return ValidationFailure{"connection", name + " may not be asked"};
        address = name;
        return std::nullopt;
    }
    bool forbidden = false;
    for (const auto type : {dns::Type::a, dns::Type::aaaa}) {
        const auto answer = dns::query(options.resolver, name, type, true, context);
        if (!answer) return dns_failure(fmt::format("resolving {}: {}", name, answer.error().message));
        for (const auto& record : answer->answers) {
            if (record.type != type) continue;
            if (!is_forbidden_target(record.data, options.allow_loopback)) {
                address = record.data;
                return std::nullopt;
            }
            forbidden = true;
        }
    }
    return forbidden
               ? ValidationFailure{"connection", fmt::format("{} has no address that may be asked", name)}
               : dns_failure(fmt::format("{} has no address", name));
}

std::optional<ValidationFailure> validate_dns01(const ValidationOptions& options, const std::string& name,
                                                const std::string& value, base::Context& context)
{
    std::string owner = name;
    for (int hop = 0; hop <= dns::kMostCnames; ++hop) {
        const auto answer = dns::query(options.resolver, owner, dns::Type::txt, true, context);
        if (!answer) return dns_failure(fmt::format("TXT {}: {}", owner, answer.error().message));
        if (answer->rcode != 0 && answer->rcode != 3)
            return dns_failure(fmt::format("TXT {}: {}", owner, answer->rcode_text));
        std::size_t others = 0;
        for (const auto& record : answer->answers) {
            if (record.type != dns::Type::txt) continue;
            if (record.data == value) return std::nullopt;
            ++others;
        }
        if (others > 0)
            return ValidationFailure{
                "incorrectResponse",
                fmt::format("TXT {}: {} values, none of them the expected one", owner, others)};
        // An authoritative server as resolver gives the CNAME alone where it leads to another's zone.
        const auto alias = std::find_if(answer->answers.rbegin(), answer->answers.rend(),
                                        [](const dns::Record& r) { return r.type == dns::Type::cname; });
        if (alias == answer->answers.rend() || dns::same_name(alias->data, owner))
            return dns_failure(fmt::format("TXT {}: {}, no such record", owner, answer->rcode_text));
        owner = alias->data;
    }
    return dns_failure(fmt::format("TXT {}: too many CNAMEs", name));
}

namespace
{

/// A URL of http-01: the first, or one that a redirect leads to.
struct WebTarget {
    bool tls = false;
    std::string host;
    std::uint16_t port = 0;
    std::string url;
};

std::optional<WebTarget> parse_target(const std::string& url)
{
    constexpr std::string_view kPlain = "http://";
    WebTarget target;
    target.tls = url.starts_with("https://");
    if (!target.tls && !url.starts_with(kPlain)) return std::nullopt;
    const auto parts = http::parse_url(target.tls ? url : "https://" + url.substr(kPlain.size()));
    if (!parts) return std::nullopt;
    target.host = parts->host;
    target.port = parts->port;
    const auto authority = std::string_view{url}.substr(url.find("://") + 3);
    const auto host_end = authority.find(']') == std::string_view::npos ? 0 : authority.find(']');
    const auto port = authority.substr(0, authority.find_first_of("/?#")).find(':', host_end);
    if (!target.tls && port == std::string_view::npos) target.port = 80;
    target.url = url;
    return target;
}

/// What one request brought.
struct Fetched {
    long status = 0;
    std::string body;
    std::string location; ///< absolute; empty: no redirect
};

/// Asks an address of `target` that may be asked.
std::optional<ValidationFailure> fetch(const ValidationOptions& options, const WebTarget& target,
                                       Fetched& fetched, base::Context& context)
{
    std::string address;
    if (auto failure = find_address(options, target.host, address, context)) return failure;
    const auto library = http::curl_library();
    if (!library) return ValidationFailure{"serverInternal", library.error().message};
    const auto& curl = **library;
    const http::CurlEasy easy{curl.easy_init()};
    // The address that was checked is the one that is asked, whatever the name resolves to a moment later.
    const bool v6 = address.find(':') != std::string::npos;
    const auto pinned =
        fmt::format("{}:{}:{}{}{}", target.host, target.port, v6 ? "[" : "", address, v6 ? "]" : "");
    // A name that is an address needs no such thing, and libcurl takes none for IPv6.
    const http::CurlList resolve{
        dns::is_ip_literal(target.host) ? nullptr : curl.slist_append(nullptr, pinned.c_str())};
    curl.easy_setopt(easy.get(), CURLOPT_URL, target.url.c_str());
    curl.easy_setopt(easy.get(), CURLOPT_RESOLVE, resolve.get());
    curl.easy_setopt(easy.get(), CURLOPT_PROTOCOLS_STR, target.tls ? "https" : "http");
    // Whoever could answer the plain request that led here needs no certificate to lie.
    curl.easy_setopt(easy.get(), CURLOPT_SSL_VERIFYPEER, 0L);
    curl.easy_setopt(easy.get(), CURLOPT_SSL_VERIFYHOST, 0L);
    curl.easy_setopt(easy.get(), CURLOPT_PROXY, "");
    curl.easy_setopt(easy.get(), CURLOPT_NOSIGNAL, 1L);
    curl.easy_setopt(easy.get(), CURLOPT_TIMEOUT, 10L);
    curl.easy_setopt(easy.get(), CURLOPT_USERAGENT, "acme-ca/" ACMETOOL_VERSION);
    curl.easy_setopt(easy.get(), CURLOPT_WRITEFUNCTION, take_body);
    curl.easy_setopt(easy.get(), CURLOPT_WRITEDATA, &fetched.body);
    const CURLcode code = curl.easy_perform(easy.get());
    if (code == CURLE_WRITE_ERROR)
        return ValidationFailure{"unauthorized", fmt::format("{}: the body is too long", target.url)};
    if (code != CURLE_OK)
        return ValidationFailure{"connection", fmt::format("{}: {}", target.url, curl.easy_strerror(code))};
    curl.easy_getinfo(easy.get(), CURLINFO_RESPONSE_CODE, &fetched.status);
    const char* location = nullptr;
    curl.easy_getinfo(easy.get(), CURLINFO_REDIRECT_URL, &location);
    if (location != nullptr) fetched.location = location;
    return std::nullopt;
}

/// Only ports of web servers: a redirect must not be a way to other services (SEC-06).
bool is_web_port(const ValidationOptions& options, const WebTarget& target)
{
    return target.tls ? target.port == 443 || target.port == options.tls_port
                      : target.port == 80 || target.port == options.http_port;
}

} // namespace

std::optional<ValidationFailure> validate_http01(const ValidationOptions& options, const std::string& name,
                                                 const std::string& token,
                                                 const std::string& key_authorization, base::Context& context)
{
    constexpr int kMostRedirects = 10;
    WebTarget target{false, name, options.http_port,
                     fmt::format("http://{}/.well-known/acme-challenge/{}",
                                 net::Endpoint{name, options.http_port}.text(), token)};
    for (int hop = 0; hop <= kMostRedirects; ++hop) {
        Fetched fetched;
        if (auto failure = fetch(options, target, fetched, context)) return failure;
        if (fetched.location.empty()) {
            if (fetched.status != 200)
                return ValidationFailure{"unauthorized",
                                         fmt::format("{}: status {}", target.url, fetched.status)};
            if (base::trim(fetched.body) != key_authorization)
                return ValidationFailure{"incorrectResponse",
                                         fmt::format("{}: not the key authorization", target.url)};
            return std::nullopt;
        }
        const auto next = parse_target(fetched.location);
        if (!next || !is_web_port(options, *next))
            return ValidationFailure{"connection",
                                     fmt::format("{}: redirects to {}, which may not be asked", target.url,
                                                 base::printable(fetched.location, 200))};
        target = *next;
    }
    return ValidationFailure{"connection", fmt::format("{}: more than {} redirects", name, kMostRedirects)};
}

std::optional<ValidationFailure> validate_dns_persist01(const ValidationOptions& options,
                                                        const std::string& name,
                                                        const std::vector<std::string>& accounts, bool wide,
                                                        acme::PersistentRecord& found, base::Context& context)
{
    const auto owner = acme::persistent_name(name);
    const auto answer = dns::query(options.resolver, owner, dns::Type::txt, true, context);
    if (!answer) return dns_failure(fmt::format("TXT {}: {}", owner, answer.error().message));
    if (answer->rcode != 0 && answer->rcode != 3)
        return dns_failure(fmt::format("TXT {}: {}", owner, answer->rcode_text));
    ValidationFailure failure{"unauthorized", fmt::format("TXT {}: no record is for this CA", owner)};
    for (const auto& record : answer->answers) {
        if (record.type != dns::Type::txt) continue;
        auto verdict =
            acme::judge_persistent_record(record.data, options.issuer_domains, accounts, wide, context.now());
        if (!verdict) continue;
        if (verdict->granted) {
            found = std::move(verdict->record);
            return std::nullopt;
        }
        failure.type = verdict->malformed ? "malformed" : "unauthorized";
        failure.detail = fmt::format("TXT {}: {}", owner, verdict->why);
    }
    return failure;
}

} // namespace acmetool::ca
