#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "crypto/digest.h"
#include "http/client.h"

/// The server's side of HTTP Digest (RFC 7616): challenges, nonces and the reading of responses. It has no
/// users.
namespace acmetool::http
{

struct DigestOptions {
    std::string realm = "est"; ///< part of the stored hashes
    bool md5 = false;          ///< offered as well
    std::chrono::seconds nonce_lifetime{300};
    bool md5_first = false; ///< for clients that read only the first challenge and know only MD5

    bool operator==(const DigestOptions&) const = default;
};

/// What a client sent in Authorization.
struct DigestResponse {
    std::string user;
    std::string nonce;
    std::uint32_t count = 0; ///< of requests with the nonce, including this one
    crypto::Hash algorithm = crypto::Hash::md5;
    /// The response is the hash, in hexadecimal, of: H(A1), a colon, and this.
    std::string rest;
    std::string response; ///< lower-case hexadecimal
};

/// True if the Authorization header has the scheme Digest, whatever else it contains.
ACMETOOL_EXPORT bool uses_digest(const Headers& headers);

/// The response to a challenge with `options`. Nothing if it is malformed, for another target, realm or
/// algorithm, or without qop=auth, which every challenge demands.
ACMETOOL_EXPORT std::optional<DigestResponse> parse_digest(const Headers& headers, std::string_view method,
                                                           std::string_view target,
                                                           const DigestOptions& options);

/// Issues nonces and knows which counts were used with them.
///
/// A nonce is a time, a random number and a MAC with a key of this process: issuing one costs no memory, and
/// one of another process or of a time before a restart is stale. Memory is only used by nonces with which
/// somebody logged in; of too many, the oldest is forgotten, and it and all older ones become stale.
/// Thread-safe.
class ACMETOOL_EXPORT DigestNonces
{
public:
    using Time = std::chrono::steady_clock::time_point;

    explicit DigestNonces(std::chrono::seconds lifetime, std::size_t most = 10'000,
                          std::function<Time()> now = std::chrono::steady_clock::now);

    std::string issue() const;
    /// False: issued elsewhere, too old, or forgotten. The client has to be told that it is stale.
    bool is_current(std::string_view nonce) const;
    /// Notes that somebody logged in with the nonce and this count. False if that was done before, if it is
    /// more than 63 behind the highest count, or if the nonce is not current. Call it only for a correct
    /// response: the memory belongs to those who know a password.
    bool spend(std::string_view nonce, std::uint32_t count);

private:
    struct Used {
        std::uint32_t highest = 0;
        std::uint64_t seen = 0; ///< bit n: highest - n was used
    };

    /// The octets of a nonce that has a valid MAC.
    std::optional<Bytes> parse(std::string_view nonce) const;
    bool is_current(const Bytes& octets) const; ///< with mutex_
    Bytes mac(ByteView stem) const;

    const std::chrono::seconds lifetime_;
    const std::size_t most_;
    const std::function<Time()> now_;
    const Bytes key_;
    mutable std::mutex mutex_;   ///< of the next two
    std::map<Bytes, Used> used_; ///< in the order of their time
    Bytes floor_;                ///< this nonce and those before it are stale
};

/// The WWW-Authenticate headers, the strongest algorithm first unless `md5_first` says otherwise.
ACMETOOL_EXPORT void add_digest_challenges(Headers& headers, const DigestOptions& options,
                                           const std::string& nonce, bool stale);

} // namespace acmetool::http
