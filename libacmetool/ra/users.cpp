#include "ra/users.h"

#include <crypt.h>

#include <cstring>
#include <memory>

#include <fmt/core.h>
#include <openssl/crypto.h>
#include <openssl/hmac.h>

#include "base/text.h"
#include "crypto/request_info.h"
#include "dns/name.h"

namespace acmetool::ra
{
namespace
{

constexpr std::chrono::minutes kRemembered{5};
constexpr std::size_t kMostRemembered = 10'000;
constexpr std::chrono::seconds kPatience{3};
constexpr std::size_t kLongestPassword = 512;
/// A bcrypt hash of nothing in particular, for users that do not exist.
constexpr const char* kNobody = "$2b$10$abcdefghijklmnopqrstuuTq7Zt7nV7bU0oQe3mL0nP6pYqk6x3bW";

Result<std::string> known_hash(std::string_view hash)
{
    for (const auto* prefix : {"$y$", "$gy$", "$2b$", "$2a$", "$2y$", "$7$", "$6$", "$5$"})
        if (hash.starts_with(prefix)) return std::string{hash};
    return fail(Errc::config, "not a crypt(3) hash of a strong kind",
                "make one with: mkpasswd --method=yescrypt");
}

bool equals_hash(std::string_view password, const std::string& hash)
{
    const auto scratch = std::make_unique<crypt_data>();
    const std::string phrase{password};
    const char* made = crypt_rn(phrase.c_str(), hash.c_str(), scratch.get(), sizeof(crypt_data));
    const bool equal = made != nullptr && hash.size() == std::strlen(made) &&
                       CRYPTO_memcmp(made, hash.data(), hash.size()) == 0;
    OPENSSL_cleanse(scratch.get(), sizeof(crypt_data));
    OPENSSL_cleanse(const_cast<char*>(phrase.data()), phrase.size());
    return equal;
}

} // namespace

Result<Users> parse_users(std::string_view text, std::string_view what)
{
    Users users;
    int number = 0;
    for (auto line : base::split(text, '\n')) {
        ++number;
        line = base::trim(line);
        if (line.empty() || line.starts_with('#')) continue;
        const auto fields = base::split(line, ':');
        const auto place = fmt::format("{}: line {}", what, number);
        if (fields.size() != 3 || fields[0].empty())
            return fail(Errc::config, place + ": not user:hash:names",
                        "a user, a crypt(3) hash, and names separated by commas");
        auto hash = known_hash(fields[1]);
        if (!hash) return fail(with_context(hash.error(), place));
        User user{std::move(*hash), {}};
        for (const auto part : base::split(fields[2], ',')) {
            if (base::trim(part).empty()) continue;
            auto name = dns::normalize_name(base::trim(part));
            if (!name) {
                name.error().code = Errc::config;
                return fail(with_context(name.error(), place));
            }
            user.names.push_back(std::move(*name));
        }
        if (!users.emplace(fields[0], std::move(user)).second)
            return fail(Errc::config, fmt::format("{}: user {} is there twice", place, fields[0]));
    }
    return users;
}

PasswordCheck::PasswordCheck() : key_(crypto::random_bytes(32)) {}

PasswordCheck::Verdict PasswordCheck::check(const User* user, std::string_view name,
                                            std::string_view password)
{
    if (password.size() > kLongestPassword || password.find('\0') != std::string_view::npos)
        return Verdict::wrong;
    const std::string hash = user != nullptr ? user->hash : kNobody;
    std::string parts = fmt::format("{}:{}:{}:", name.size(), name, hash);
    parts += password;
    Bytes tag(32);
    HMAC(EVP_sha256(), key_.data(), static_cast<int>(key_.size()),
         reinterpret_cast<const unsigned char*>(parts.data()), parts.size(), tag.data(), nullptr);
    OPENSSL_cleanse(parts.data(), parts.size());
    const auto now = std::chrono::steady_clock::now();
    if (user != nullptr) {
        const std::lock_guard lock{mutex_};
        if (const auto found = right_.find(tag); found != right_.end() && found->second > now)
            return Verdict::right;
    }
    if (!slots_.try_acquire_for(kPatience)) return Verdict::busy;
    const bool equal = equals_hash(password, hash) && user != nullptr;
    slots_.release();
    if (!equal) return Verdict::wrong;
    const std::lock_guard lock{mutex_};
    std::erase_if(right_, [&](const auto& entry) { return entry.second <= now; });
    if (right_.size() >= kMostRemembered) right_.clear();
    right_[tag] = now + kRemembered;
    return Verdict::right;
}

} // namespace acmetool::ra
