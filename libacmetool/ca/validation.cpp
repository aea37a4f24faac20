#include "ca/validation.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>

#include <fmt/core.h>

#include "acme/persistent_record.h"
#include "base/text.h"
#include "ca/payloads.h"
#include "dns/name.h"
#include "dns/query.h"
#include "http/curl_library.h"
#include "net/endpoint.h"

namespace acmetool::ca
{
namespace
{

constexpr std::size_t kLongestBody = 4096;

struct Prefix {
    std::array<std::uint8_t, 4> address;
    unsigned bits;
};
/// IPv4 ranges that are no public host's (IANA's special-purpose registry).
constexpr std::array<Prefix, 14> kSpecial{{{{0, 0, 0, 0}, 8},
                                           {{10, 0, 0, 0}, 8},
                                           {{100, 64, 0, 0}, 10},
                                           {{127, 0, 0, 0}, 8},
                                           {{169, 254, 0, 0}, 16},
                                           {{172, 16, 0, 0}, 12},
                                           {{192, 0, 0, 0}, 24},
                                           {{192, 0, 2, 0}, 24},
                                           {{192, 168, 0, 0}, 16},
                                           {{198, 18, 0, 0}, 15},
                                           {{198, 51, 100, 0}, 24},
                                           {{203, 0, 113, 0}, 24},
                                           {{224, 0, 0, 0}, 4},
                                           {{240, 0, 0, 0}, 4}}};

std::uint32_t number_of(const std::uint8_t* octets)
{
    return static_cast<std::uint32_t>(octets[0]) << 24U | static_cast<std::uint32_t>(octets[1]) << 16U |
           static_cast<std::uint32_t>(octets[2]) << 8U | octets[3];
}

bool is_forbidden_v4(const std::uint8_t* octets, bool allow_loopback)
{
    if (octets[0] == 127 && allow_loopback) return false;
    return std::any_of(kSpecial.begin(), kSpecial.end(), [&](const Prefix& prefix) {
        return (number_of(octets) ^ number_of(prefix.address.data())) >> (32 - prefix.bits) == 0;
    });
}

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
    std::uint8_t octets[16];
    if (inet_pton(AF_INET, address.c_str(), octets) == 1) return is_forbidden_v4(octets, allow_loopback);
    if (inet_pton(AF_INET6, address.c_str(), octets) != 1) return true;
    static constexpr std::uint8_t kMapped[12]{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    static constexpr std::uint8_t kLoopback[16]{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
    if (std::memcmp(octets, kMapped, sizeof kMapped) == 0)
        return is_forbidden_v4(octets + 12, allow_loopback);
    if (std::memcmp(octets, kLoopback, sizeof kLoopback) == 0) return !allow_loopback;
    return (octets[0] & 0xe0) != 0x20; // outside 2000::/3 nothing is global unicast
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

std::optional<ValidationFailure> validate_http01(const ValidationOptions& options, const std::string& name,
                                                 const std::string& token,
                                                 const std::string& key_authorization, base::Context& context)
{
    std::string address;
    if (auto failure = find_address(options, name, address, context)) return failure;
    const auto library = http::curl_library();
    if (!library) return ValidationFailure{"serverInternal", library.error().message};
    const auto& curl = **library;
    const http::CurlEasy easy{curl.easy_init()};
    const auto url = fmt::format("http://{}/.well-known/acme-challenge/{}",
                                 net::Endpoint{name, options.http_port}.text(), token);
    // The address that was checked is the one that is asked, whatever the name resolves to a moment later.
    const bool v6 = address.find(':') != std::string::npos;
    const auto pinned =
        fmt::format("{}:{}:{}{}{}", name, options.http_port, v6 ? "[" : "", address, v6 ? "]" : "");
    // A name that is an address needs no such thing, and libcurl takes none for IPv6.
    const http::CurlList resolve{dns::is_ip_literal(name) ? nullptr
                                                          : curl.slist_append(nullptr, pinned.c_str())};
    std::string body;
    curl.easy_setopt(easy.get(), CURLOPT_URL, url.c_str());
    curl.easy_setopt(easy.get(), CURLOPT_RESOLVE, resolve.get());
    curl.easy_setopt(easy.get(), CURLOPT_PROTOCOLS_STR, "http");
    curl.easy_setopt(easy.get(), CURLOPT_PROXY, "");
    curl.easy_setopt(easy.get(), CURLOPT_NOSIGNAL, 1L);
    curl.easy_setopt(easy.get(), CURLOPT_TIMEOUT, 10L);
    curl.easy_setopt(easy.get(), CURLOPT_USERAGENT, "acme-ca/" ACMETOOL_VERSION);
    curl.easy_setopt(easy.get(), CURLOPT_WRITEFUNCTION, take_body);
    curl.easy_setopt(easy.get(), CURLOPT_WRITEDATA, &body);
    const CURLcode code = curl.easy_perform(easy.get());
    if (code == CURLE_WRITE_ERROR)
        return ValidationFailure{"unauthorized", fmt::format("{}: the body is too long", url)};
    if (code != CURLE_OK)
        return ValidationFailure{"connection", fmt::format("{}: {}", url, curl.easy_strerror(code))};
    long status = 0;
    curl.easy_getinfo(easy.get(), CURLINFO_RESPONSE_CODE, &status);
    if (status != 200) return ValidationFailure{"unauthorized", fmt::format("{}: status {}", url, status)};
    if (base::trim(body) != key_authorization)
        return ValidationFailure{"incorrectResponse", fmt::format("{}: not the key authorization", url)};
    return std::nullopt;
}

std::optional<ValidationFailure> validate_dns_persist01(const ValidationOptions& options,
                                                        const std::string& name, const std::string& account,
                                                        bool wide, base::Context& context)
{
    const auto owner = "_validation-persist." + name;
    const auto answer = dns::query(options.resolver, owner, dns::Type::txt, true, context);
    if (!answer) return dns_failure(fmt::format("TXT {}: {}", owner, answer.error().message));
    if (answer->rcode != 0 && answer->rcode != 3)
        return dns_failure(fmt::format("TXT {}: {}", owner, answer->rcode_text));
    std::string why = "no record is for this CA";
    for (const auto& record : answer->answers)
        if (record.type == dns::Type::txt &&
            acme::is_persistent_permission(record.data, options.issuer_domains, account, wide, context.now(),
                                           why))
            return std::nullopt;
    return ValidationFailure{"unauthorized", fmt::format("TXT {}: {}", owner, why)};
}

} // namespace acmetool::ca
