#include "http/digest_server.h"

#include <algorithm>
#include <charconv>

#include <fmt/core.h>

#include "base/base64url.h"
#include "base/text.h"
#include "http/auth_scanner.h"

namespace acmetool::http
{
namespace
{

constexpr std::size_t kTimeSize = 8;
constexpr std::size_t kRandomSize = 8;
constexpr std::size_t kStemSize = kTimeSize + kRandomSize;
constexpr std::size_t kMacSize = 16;
constexpr std::uint32_t kWindow = 64;

std::optional<std::string> authorization_of(const Headers& headers)
{
    constexpr std::string_view kScheme = "digest ";
    const auto header = find(headers, "authorization");
    if (!header || !base::equals_ignoring_case(header->substr(0, kScheme.size()), kScheme))
        return std::nullopt;
    return std::string{header->substr(kScheme.size())};
}

/// The parameters; nothing if one occurs twice or has no value.
std::optional<std::map<std::string, std::string>> parameters_of(std::string_view text)
{
    std::map<std::string, std::string> found;
    AuthScanner scanner{text};
    while (auto item = scanner.next()) {
        if (!item->value || !found.emplace(base::to_lower(item->name), std::move(*item->value)).second)
            return std::nullopt;
    }
    return found;
}

std::optional<crypto::Hash> algorithm_of(std::string_view name, const DigestOptions& options)
{
    if (base::equals_ignoring_case(name, "SHA-256")) return crypto::Hash::sha256;
    if (options.md5 && (name.empty() || base::equals_ignoring_case(name, "MD5"))) return crypto::Hash::md5;
    return std::nullopt;
}

std::optional<std::uint32_t> count_of(std::string_view text)
{
    std::uint32_t count = 0;
    const auto* const last = text.data() + text.size();
    const auto [end, problem] = std::from_chars(text.data(), last, count, 16);
    if (text.size() != 8 || problem != std::errc{} || end != last) return std::nullopt;
    return count;
}

/// A request target in absolute form without scheme and authority: clients name it as in their request line.
std::string_view origin_form(std::string_view uri)
{
    constexpr std::string_view kScheme = "https://";
    if (!base::equals_ignoring_case(uri.substr(0, kScheme.size()), kScheme)) return uri;
    const auto path = uri.find('/', kScheme.size());
    return path == std::string_view::npos ? "/" : uri.substr(path);
}

DigestNonces::Time::duration time_in(const Bytes& octets)
{
    std::uint64_t number = 0;
    for (std::size_t i = 0; i < kTimeSize; ++i)
        number = number << 8U | octets[i];
    return std::chrono::milliseconds{static_cast<std::int64_t>(number)};
}

} // namespace

bool uses_digest(const Headers& headers)
{
    return authorization_of(headers).has_value();
}

std::optional<DigestResponse> parse_digest(const Headers& headers, std::string_view method,
                                           std::string_view target, const DigestOptions& options)
{
    const auto text = authorization_of(headers);
    auto parameters = text ? parameters_of(*text) : std::nullopt;
    if (!parameters) return std::nullopt;
    const auto& given = *parameters;
    const auto value = [&](const char* name) {
        const auto found = given.find(name);
        return found == given.end() ? std::string{} : found->second;
    };
    const auto algorithm = algorithm_of(value("algorithm"), options);
    const auto count = count_of(value("nc"));
    // RFC 7616 section 3.4.6: the server "SHOULD assure that the resource designated by the 'uri' parameter
    // is the same as the resource specified in the Request-Line".
    if (!algorithm || !count || value("username").empty() || value("realm") != options.realm ||
        origin_form(value("uri")) != target || value("qop") != "auth" || value("cnonce").empty() ||
        base::equals_ignoring_case(value("userhash"), "true"))
        return std::nullopt;
    const auto request =
        crypto::digest(*algorithm, {as_bytes(method), as_bytes(":"), as_bytes(value("uri"))});
    if (!request) return std::nullopt;
    return DigestResponse{
        value("username"),
        value("nonce"),
        *count,
        *algorithm,
        fmt::format("{}:{}:{}:auth:{}", value("nonce"), value("nc"), value("cnonce"), to_hex(*request)),
        base::to_lower(value("response"))};
}

DigestNonces::DigestNonces(std::chrono::seconds lifetime, std::size_t most, std::function<Time()> now)
    : lifetime_(lifetime), most_(most), now_(std::move(now)), key_(crypto::random_bytes(32))
{
}

Bytes DigestNonces::mac(ByteView stem) const
{
    auto whole = crypto::hmac(crypto::Hash::sha256, key_, stem).value();
    whole.resize(kMacSize);
    return whole;
}

std::string DigestNonces::issue() const
{
    const auto time = static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(now_().time_since_epoch()).count());
    Bytes octets;
    for (std::size_t i = kTimeSize; i-- > 0;)
        octets.push_back(static_cast<std::uint8_t>(time >> (8 * i)));
    const auto random = crypto::random_bytes(kRandomSize);
    octets.insert(octets.end(), random.begin(), random.end());
    const auto code = mac(octets);
    octets.insert(octets.end(), code.begin(), code.end());
    return base::to_base64url(octets);
}

std::optional<Bytes> DigestNonces::parse(std::string_view nonce) const
{
    auto octets = base::parse_base64url(nonce);
    if (!octets || octets->size() != kStemSize + kMacSize) return std::nullopt;
    const ByteView all{*octets};
    if (!crypto::equal_in_constant_time(mac(all.first(kStemSize)), all.subspan(kStemSize)))
        return std::nullopt;
    return std::move(*octets);
}

bool DigestNonces::is_current(const Bytes& octets) const
{
    return octets > floor_ && now_().time_since_epoch() - time_in(octets) < lifetime_;
}

bool DigestNonces::is_current(std::string_view nonce) const
{
    const auto octets = parse(nonce);
    const std::lock_guard lock{mutex_};
    return octets && is_current(*octets);
}

bool DigestNonces::spend(std::string_view nonce, std::uint32_t count)
{
    const auto octets = parse(nonce);
    const std::lock_guard lock{mutex_};
    if (!octets || count == 0 || !is_current(*octets)) return false;
    auto found = used_.find(*octets);
    if (found == used_.end()) {
        while (!used_.empty() && !is_current(used_.begin()->first))
            used_.erase(used_.begin());
        found = used_.emplace(*octets, Used{}).first;
        if (used_.size() > most_) {
            floor_ = used_.begin()->first;
            const bool own = found == used_.begin();
            used_.erase(used_.begin());
            if (own) return false;
        }
    }
    auto& used = found->second;
    if (count > used.highest) {
        const auto step = count - used.highest;
        used.seen = (step < kWindow ? used.seen << step : 0) | 1U;
        used.highest = count;
        return true;
    }
    const auto behind = used.highest - count;
    if (behind >= kWindow || (used.seen >> behind & 1U) != 0) return false;
    used.seen |= std::uint64_t{1} << behind;
    return true;
}

void add_digest_challenges(Headers& headers, const DigestOptions& options, const std::string& nonce,
                           bool stale)
{
    const auto add = [&](const char* algorithm) {
        headers.emplace_back("WWW-Authenticate",
                             fmt::format(R"(Digest realm="{}", qop="auth", algorithm={}, nonce="{}"{})",
                                         options.realm, algorithm, nonce, stale ? ", stale=true" : ""));
    };
    if (options.md5 && options.md5_first) add("MD5");
    add("SHA-256");
    if (options.md5 && !options.md5_first) add("MD5");
}

} // namespace acmetool::http
