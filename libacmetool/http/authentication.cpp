#include "http/authentication.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <fmt/core.h>

#include "base/base64url.h"
#include "base/bytes.h"
#include "base/text.h"
#include "crypto/digest.h"
#include "http/auth_scanner.h"

namespace acmetool::http
{
namespace
{

bool lists_auth(std::string_view qop)
{
    const auto words = base::split(qop, ',');
    return std::any_of(words.begin(), words.end(),
                       [](auto word) { return base::equals_ignoring_case(base::trim(word), "auth"); });
}

void set_parameter(Challenge& challenge, const std::string& name, const std::string& value)
{
    const auto is = [&](std::string_view known) { return base::equals_ignoring_case(name, known); };
    if (is("realm")) challenge.realm = value;
    if (is("nonce")) challenge.nonce = value;
    if (is("opaque")) challenge.opaque = value;
    if (is("algorithm")) challenge.algorithm = value;
    if (is("qop")) challenge.qop_auth = lists_auth(value);
    if (is("stale")) challenge.stale = base::equals_ignoring_case(value, "true");
}

std::vector<Challenge> challenges_of(std::string_view header)
{
    std::vector<Challenge> found;
    bool known = false;
    AuthScanner scanner{header};
    while (const auto item = scanner.next()) {
        if (item->value) {
            if (known) set_parameter(found.back(), item->name, *item->value);
            continue;
        }
        const bool digest = base::equals_ignoring_case(item->name, "digest");
        known = digest || base::equals_ignoring_case(item->name, "basic");
        if (!known) continue;
        found.emplace_back();
        found.back().scheme = digest ? AuthScheme::digest : AuthScheme::basic;
    }
    return found;
}

/// 0: cannot be answered.
int rank(const Challenge& challenge)
{
    if (challenge.scheme == AuthScheme::basic) return 1;
    if (challenge.nonce.empty()) return 0;
    if (challenge.algorithm.empty() || base::equals_ignoring_case(challenge.algorithm, "MD5")) return 2;
    return base::equals_ignoring_case(challenge.algorithm, "SHA-256") ? 3 : 0;
}

std::string hash_hex(std::string_view algorithm, std::string_view text)
{
    const bool sha256 = base::equals_ignoring_case(algorithm, "SHA-256");
    const auto digest = crypto::digest(sha256 ? crypto::Hash::sha256 : crypto::Hash::md5, {as_bytes(text)});
    return digest ? to_hex(*digest) : std::string{};
}

std::string quoted_string(std::string_view text)
{
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') out += '\\';
        out += c;
    }
    return out + "\"";
}

bool has_control_character(std::string_view text)
{
    return std::any_of(text.begin(), text.end(),
                       [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

} // namespace

std::optional<Challenge> choose_challenge(const Headers& headers, AuthScheme allowed)
{
    std::optional<Challenge> best;
    for (const auto& [name, value] : headers) {
        if (!base::equals_ignoring_case(name, "www-authenticate")) continue;
        for (auto& challenge : challenges_of(value)) {
            const bool fits = allowed == AuthScheme::any || challenge.scheme == allowed;
            if (fits && rank(challenge) > (best ? rank(*best) : 0)) best = std::move(challenge);
        }
    }
    return best;
}

Result<std::string> answer(const Challenge& challenge, const Credentials& credentials,
                           const DigestInput& input)
{
    const auto password = credentials.password.reveal();
    if (challenge.scheme == AuthScheme::basic) {
        // RFC 7617 section 2: "a user-id containing a colon character is invalid".
        if (credentials.user.find(':') != std::string::npos)
            return fail(Errc::bad_input, "a user name with a colon cannot be used with Basic authentication",
                        {}, "badUserName");
        return "Basic " + base::to_base64(as_bytes(fmt::format("{}:{}", credentials.user, password)));
    }
    for (const auto& part : {challenge.realm, challenge.nonce, challenge.opaque, credentials.user})
        if (has_control_character(part))
            return fail(Errc::protocol, "a control character in a Digest challenge", {}, "badChallenge");
    const auto hash = [&](const std::string& text) { return hash_hex(challenge.algorithm, text); };
    const auto secret = hash(fmt::format("{}:{}:{}", credentials.user, challenge.realm, password));
    const auto request = hash(fmt::format("{}:{}", input.method, input.target));
    const auto count = fmt::format("{:08x}", input.count);
    const auto response =
        challenge.qop_auth
            ? hash(fmt::format("{}:{}:{}:{}:auth:{}", secret, challenge.nonce, count, input.cnonce, request))
            : hash(fmt::format("{}:{}:{}", secret, challenge.nonce, request));
    std::string out = fmt::format("Digest username={}, realm={}, nonce={}, uri={}, response=\"{}\"",
                                  quoted_string(credentials.user), quoted_string(challenge.realm),
                                  quoted_string(challenge.nonce), quoted_string(input.target), response);
    if (!challenge.algorithm.empty()) out += ", algorithm=" + challenge.algorithm;
    if (!challenge.opaque.empty()) out += ", opaque=" + quoted_string(challenge.opaque);
    if (challenge.qop_auth)
        out += fmt::format(", qop=auth, nc={}, cnonce={}", count, quoted_string(input.cnonce));
    return out;
}

std::optional<Credentials> parse_basic(const Headers& headers)
{
    constexpr std::string_view kScheme = "basic ";
    const auto header = find(headers, "authorization");
    if (!header || !base::equals_ignoring_case(header->substr(0, kScheme.size()), kScheme))
        return std::nullopt;
    Credentials credentials;
    const auto decoded = base::parse_base64(base::trim(header->substr(kScheme.size())));
    if (!decoded) return credentials;
    const auto pair = as_text(*decoded);
    const auto colon = pair.find(':');
    if (colon == std::string_view::npos) return credentials;
    credentials.user = pair.substr(0, colon);
    credentials.password = base::Secret{std::string{pair.substr(colon + 1)}};
    return credentials;
}

} // namespace acmetool::http
