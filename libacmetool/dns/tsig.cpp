#include "dns/tsig.h"

#include <algorithm>
#include <array>
#include <vector>

#include <fmt/core.h>

#include "base/base64url.h"
#include "base/text.h"

namespace acmetool::dns
{
namespace
{

constexpr std::array<std::string_view, 3> kAlgorithms{"hmac-sha256", "hmac-sha384", "hmac-sha512"};

tl::unexpected<Error> bad_key(std::string message)
{
    return fail(Errc::config, std::move(message), "create one with: tsig-keygen -a hmac-sha256 NAME > FILE",
                "tsigKey");
}

/// Words, quoted strings, and the signs { } ; of named.conf; # // and /* */ comments are skipped.
std::vector<std::string> tokens_of(std::string_view text)
{
    std::vector<std::string> tokens;
    while (!text.empty()) {
        if (text.starts_with("/*")) {
            const auto end = text.find("*/", 2);
            text.remove_prefix(end == std::string_view::npos ? text.size() : end + 2);
        } else if (text.starts_with("//") || text.front() == '#') {
            text.remove_prefix(std::min(text.find('\n'), text.size()));
        } else if (text.front() == '"') {
            const auto end = std::min(text.find('"', 1), text.size());
            tokens.emplace_back(text.substr(1, end - 1));
            text.remove_prefix(std::min(end + 1, text.size()));
        } else if (std::string_view{"{};"}.find(text.front()) != std::string_view::npos) {
            tokens.emplace_back(text.substr(0, 1));
            text.remove_prefix(1);
        } else if (std::string_view{" \t\r\n"}.find(text.front()) != std::string_view::npos) {
            text.remove_prefix(1);
        } else {
            const auto end = std::min(text.find_first_of(" \t\r\n{};\"#"), text.size());
            tokens.emplace_back(text.substr(0, end));
            text.remove_prefix(end);
        }
    }
    return tokens;
}

Result<TsigKey> make_key(std::string_view algorithm, std::string_view name, std::string_view secret)
{
    TsigKey key;
    key.algorithm = base::to_lower(algorithm);
    if (key.algorithm.ends_with('.')) key.algorithm.pop_back();
    key.name = base::to_lower(name);
    if (key.name.ends_with('.')) key.name.pop_back();
    if (std::find(kAlgorithms.begin(), kAlgorithms.end(), key.algorithm) == kAlgorithms.end())
        return bad_key(fmt::format("TSIG algorithm \"{}\": must be hmac-sha256, hmac-sha384 or hmac-sha512",
                                   base::printable(algorithm, 40)));
    const bool plain = std::all_of(key.name.begin(), key.name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
    });
    if (key.name.empty() || key.name.size() > 253 || !plain || key.name.find("..") != std::string::npos)
        return bad_key("the TSIG key's name is not a domain name");
    const auto octets = base::parse_base64(secret);
    if (!octets || octets->empty() || octets->size() > 512) return bad_key("the TSIG secret is not base64");
    key.secret = base::Secret{std::string{secret}};
    return key;
}

} // namespace

Result<TsigKey> parse_tsig_key(std::string_view text)
{
    const auto tokens = tokens_of(text);
    if (tokens.size() == 1) {
        const auto parts = base::split(tokens.front(), ':');
        if (parts.size() != 3) return bad_key("neither a key statement nor ALGORITHM:NAME:BASE64");
        return make_key(parts[0], parts[1], parts[2]);
    }
    // key NAME { algorithm ALG ; secret "..." ; } ;
    if (tokens.size() < 4 || tokens[0] != "key" || tokens[2] != "{")
        return bad_key("neither a key statement nor ALGORITHM:NAME:BASE64");
    std::string algorithm;
    std::string secret;
    for (std::size_t i = 3; i + 2 < tokens.size() && tokens[i] != "}"; i += 3) {
        if (tokens[i + 2] != ";") return bad_key("a \";\" is missing in the key statement");
        if (tokens[i] == "algorithm") algorithm = tokens[i + 1];
        if (tokens[i] == "secret") secret = tokens[i + 1];
    }
    if (algorithm.empty() || secret.empty())
        return bad_key("the key statement lacks its algorithm or its secret");
    return make_key(algorithm, tokens[1], secret);
}

} // namespace acmetool::dns
