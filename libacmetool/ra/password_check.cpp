#include "ra/password_check.h"

#include <arpa/inet.h>
#include <crypt.h>

#include <algorithm>
#include <memory>
#include <thread>
#include <utility>

#include <fmt/core.h>

#include "base/wipe.h"
#include "crypto/digest.h"

namespace acmetool::ra
{
namespace
{

constexpr std::chrono::minutes kRemembered{5};
constexpr std::size_t kMostRemembered = 10'000;
constexpr std::size_t kLongestPassword = 512;
constexpr std::size_t kQueue = 32;
constexpr int kNice = 10;
/// Places of one address, or one site with many, in the queue, so that others find one. Devices behind one
/// address that start at the same time have right passwords; after a wrong one the address has fewer for a
/// while.
constexpr unsigned kMostOfCaller = kQueue / 2;
constexpr unsigned kMostOfSuspect = 4;
constexpr std::size_t kMostCallers = 10'000;
/// A wrong password costs its address a second; ten seconds are the most that it may owe.
constexpr std::chrono::seconds kPerWrong{1};
constexpr std::chrono::seconds kMostOwed{10};

/// Three of four cores stay with those who ask for something else.
base::WorkerPool::Options pool_options()
{
    return {.name = "ra-password",
            .threads = std::max(1U, std::thread::hardware_concurrency() / 4),
            .queue = kQueue,
            .nice = kNice};
}

bool equals_hash(std::string_view password, const std::string& hash)
{
    const auto scratch = std::make_unique<crypt_data>();
    std::string phrase{password};
    const char* made = crypt_rn(phrase.c_str(), hash.c_str(), scratch.get(), sizeof(crypt_data));
    const bool equal = made != nullptr && crypto::equal_in_constant_time(as_bytes(made), as_bytes(hash));
    base::wipe({reinterpret_cast<std::uint8_t*>(scratch.get()), sizeof(crypt_data)});
    base::wipe(phrase);
    return equal;
}

/// SHA-256 is in every configuration of OpenSSL.
Bytes hmac(const Bytes& key, std::string_view text)
{
    return crypto::hmac(crypto::Hash::sha256, key, as_bytes(text)).value();
}

} // namespace

PasswordCheck::PasswordCheck(std::function<Clock::time_point()> now)
    : now_(std::move(now)), key_(crypto::random_bytes(32)), pool_(pool_options())
{
}

Bytes PasswordCheck::tag(std::string_view name, std::string_view password, std::string_view hash) const
{
    std::string parts = fmt::format("{}:{}:{}:", name.size(), name, hash);
    parts.reserve(parts.size() + password.size());
    parts += password;
    auto made = hmac(key_, parts);
    base::wipe(parts);
    return made;
}

/// The same one for a name each time: hashes of different costs tell nothing either.
const User& PasswordCheck::stand_in(const Users& users, std::string_view name) const
{
    const auto dice = hmac(key_, name);
    const auto number =
        static_cast<std::size_t>(dice[0]) << 16U | static_cast<std::size_t>(dice[1]) << 8U | dice[2];
    return std::next(users.begin(), static_cast<std::ptrdiff_t>(number % users.size()))->second;
}

bool PasswordCheck::remembers(const Bytes& tag)
{
    const std::lock_guard lock{mutex_};
    const auto found = right_.find(tag);
    return found != right_.end() && found->second > now_();
}

void PasswordCheck::remember(const Bytes& tag)
{
    const auto now = now_();
    const std::lock_guard lock{mutex_};
    std::erase_if(right_, [&](const auto& entry) { return entry.second <= now; });
    if (right_.size() >= kMostRemembered) right_.clear();
    right_[tag] = now + kRemembered;
}

PasswordCheck::Origin PasswordCheck::origin_of(const std::string& address)
{
    unsigned char octets[16];
    const auto without_zone = address.substr(0, address.find('%'));
    if (inet_pton(AF_INET6, without_zone.c_str(), octets) != 1) return {address, {}};
    constexpr std::size_t kHost = 8;
    constexpr std::size_t kSite = 6;
    return {to_hex({octets, kHost}), to_hex({octets, kSite})};
}

bool PasswordCheck::enter(const Origin& origin)
{
    const auto& caller = origin.host;
    const auto now = now_();
    const std::lock_guard lock{mutex_};
    if (stopping_) return false;
    if (const auto site = networks_.find(origin.network);
        site != networks_.end() && site->second >= kMostOfCaller)
        return false;
    if (callers_.size() >= kMostCallers)
        std::erase_if(callers_, [&](const auto& entry) {
            return entry.second.waiting == 0 && entry.second.busy_until <= now;
        });
    if (callers_.size() >= kMostCallers && !callers_.contains(caller)) return false;
    auto& known = callers_[caller];
    const unsigned most = known.busy_until > now ? kMostOfSuspect : kMostOfCaller;
    if (known.waiting >= most || known.busy_until > now + kMostOwed) return false;
    ++known.waiting;
    if (!origin.network.empty()) ++networks_[origin.network];
    return true;
}

void PasswordCheck::leave(const Origin& origin, Verdict verdict)
{
    const auto now = now_();
    const std::lock_guard lock{mutex_};
    if (const auto site = networks_.find(origin.network); site != networks_.end() && --site->second == 0)
        networks_.erase(site);
    auto& known = callers_[origin.host];
    --known.waiting;
    if (verdict == Verdict::wrong) known.busy_until = std::max(known.busy_until, now) + kPerWrong;
    if (known.waiting == 0 && known.busy_until <= now) callers_.erase(origin.host);
}

void PasswordCheck::check(const Users& users, const enrol::Peer& peer, Done done)
{
    const auto password = peer.password.reveal();
    if (users.empty() || password.size() > kLongestPassword || password.find('\0') != std::string_view::npos)
        return done(Verdict::wrong);
    const auto found = users.find(peer.user);
    const bool exists = found != users.end();
    const auto mark = exists ? tag(peer.user, password, found->second.hash) : Bytes{};
    if (exists && remembers(mark)) return done(Verdict::right);
    const auto origin = origin_of(peer.address);
    if (!enter(origin)) return done(Verdict::too_many);
    struct Task {
        std::string user;
        base::Secret password;
        Done done;
    };
    auto task = std::make_shared<Task>(Task{peer.user, base::Secret{std::string{password}}, std::move(done)});
    const bool taken = pool_.post([this, task, &users, exists, mark, origin] {
        Verdict verdict = Verdict::too_many;
        bool stopping = false;
        {
            const std::lock_guard lock{mutex_};
            stopping = stopping_;
        }
        if (!stopping) {
            // Found for everybody: it takes longer the more users there are.
            const auto& other = stand_in(users, task->user);
            const auto& user = exists ? users.find(task->user)->second : other;
            verdict =
                equals_hash(task->password.reveal(), user.hash) && exists ? Verdict::right : Verdict::wrong;
        }
        if (verdict == Verdict::right) remember(mark);
        leave(origin, verdict);
        task->done(verdict);
    });
    if (taken) return;
    leave(origin, Verdict::too_many);
    task->done(Verdict::too_many);
}

PasswordCheck::Verdict PasswordCheck::check_digest(const DigestUsers& users, const enrol::Peer& peer)
{
    if (users.empty() || !peer.digest) return Verdict::wrong;
    const auto origin = origin_of(peer.address);
    if (!enter(origin)) return Verdict::too_many;
    const auto& login = *peer.digest;
    const auto found = users.find(peer.user);
    // Made for everybody, so that it takes as long.
    std::string hash = to_hex(hmac(key_, peer.user));
    const bool sha256 = login.algorithm == crypto::Hash::sha256;
    const std::string* const stored =
        found == users.end() ? nullptr : &(sha256 ? found->second.sha256 : found->second.md5);
    const bool exists = stored != nullptr && !stored->empty();
    if (!sha256) hash.resize(hash.size() / 2);
    if (exists) hash = *stored;
    const auto made = crypto::digest(login.algorithm, {as_bytes(hash), as_bytes(":"), as_bytes(login.rest)});
    base::wipe(hash);
    const bool equal =
        made && crypto::equal_in_constant_time(as_bytes(to_hex(*made)), as_bytes(login.response));
    auto verdict = equal && exists ? Verdict::right : Verdict::wrong;
    if (verdict == Verdict::right && login.spend && !login.spend()) verdict = Verdict::used;
    leave(origin, verdict);
    return verdict;
}

void PasswordCheck::stop()
{
    {
        const std::lock_guard lock{mutex_};
        stopping_ = true;
    }
    pool_.stop();
}

} // namespace acmetool::ra
