#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "acme/directory.h"
#include "base/result.h"
#include "base/time.h"
#include "crypto/key.h"
#include "http/client.h"

/// Signed requests without I/O: builds requests and interprets replies (RFC 8555 section 6).
namespace acmetool::acme
{

/// What a request asks of the CA: a resource of RFC 8555 section 7.1, RFC 9773, or what is done to one.
enum class Step {
    directory,
    new_account,
    account,
    new_authz,
    authz,
    challenge,
    new_order,
    order,
    orders,
    finalize,
    certificate,
    renewal_info,
    revoke_cert,
    key_change,
};

/// The name for logs and errors: "newOrder".
ACMETOOL_EXPORT std::string_view name_of(Step step);

/// One ACME request before it is signed.
struct Post {
    Step step = Step::directory;
    std::string subject; ///< for people: the subject, "sub.domain.com"
    std::string url;
    std::string payload;     ///< JSON text; empty: POST-as-GET (RFC 8555 section 6.3)
    std::string accept = {}; ///< the Accept header; empty: none
    bool by_jwk =
        false; ///< sign with "jwk" instead of "kid": newAccount, revokeCert by the certificate's key
    bool just_created = false;      ///< a 404 may come from a lagging replica; the request is repeated
    bool missing_is_answer = false; ///< 404 and 410 are replies, which the caller judges
    Reason if_missing = {}; ///< reason of the error (then unavailable) if the resource does not exist (404
                            ///< or 405); empty: these are refusals like any other
};

/// A reply with a status below 400, or one of Post::missing_is_answer.
struct Reply {
    int status = 0;
    std::string body;
    std::string location; ///< a URL of the CA; empty if the header is absent or leads elsewhere
    std::string content_type;
    std::optional<std::chrono::seconds> retry_after;
    std::vector<std::pair<std::string, std::string>> links; ///< Link targets: relation, URL
};

/// The signing side of one account: its key, its URL ("kid"), its directory and its unused nonces.
struct Session {
    Directory directory;
    crypto::Key key;
    std::string account_url;         ///< empty until the account is known
    std::vector<std::string> nonces; ///< used from the back, each once
    std::size_t most_nonces = 10;    ///< number of nonces to keep: that of concurrent requests
};

/// One request of a session, from nonce to reply. While result() is empty, the caller does what next()
/// returns.
///
/// It fetches a nonce if there is none, signs again with the nonce of a badNonce reply (RFC 8555 section 6.5;
/// at most 50 times), repeats the request up to three times within five seconds if a new resource is not
/// found yet, and repeats reads (POST-as-GET) after a broken connection or a 5xx. Requests that change
/// something are repeated only if the server reported that it did not accept them.
class ACMETOOL_EXPORT Exchange
{
public:
    Exchange(Session& session, Post post);

    struct Send {
        http::Request request;
        bool is_nonce_request = false;
    };
    struct Pause {
        base::Milliseconds duration;
    };
    /// Errors: config (a key that cannot sign).
    Result<std::variant<Send, Pause>> next();
    /// Processes the outcome of the last Send: a reply or the failure to get one.
    void take(Result<http::Response> outcome, base::TimePoint now);
    /// The result, once available. Errors as acme/problem.h maps them, or those of the transport.
    const std::optional<Result<Reply>>& result() const { return result_; }
    const Post& post() const { return post_; }

private:
    void take_nonce(const http::Response& response);
    bool retry(int limit, base::Milliseconds pause);
    Error describe(Error error) const;

    Session& session_;
    Post post_;
    bool asked_for_nonce_ = false;
    std::optional<base::Milliseconds> pause_;
    int bad_nonces_ = 0;
    int retries_ = 0;
    std::optional<Result<Reply>> result_;
};

} // namespace acmetool::acme
