#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "acme/account.h"
#include "acme/authorization.h"
#include "acme/order.h"
#include "acme/passphrase.h"
#include "acme/session.h"
#include "acme/solver.h"
#include "acme/state.h"
#include "base/context.h"
#include "base/result.h"
#include "http/client.h"

namespace acmetool::acme
{

struct ClientOptions {
    std::string account_file = "acct.json";
    std::string
        state_directory; ///< empty: acct.json.d beside the account file, else the user's cache, else none
    std::string ca_file; ///< replaces the one in the account file
    PassphraseSource passphrase{{}, true}; ///< of the account's key
    base::Milliseconds timeout{300'000};   ///< for a whole verb, including waits
};

/// One account on one connection: the blocking driver of Exchange and OrderFlow for command-line programs.
///
/// Used by one thread. The destructor stores unused nonces in the state directory.
class ACMETOOL_EXPORT Client
{
public:
    /// Opens the account file, its key and state, and the directory document (from the state, else fetched).
    /// Errors: config (account or key file), unavailable, protocol.
    static Result<std::unique_ptr<Client>> open(const ClientOptions& options, base::Context& context);
    /// For a CA without an account yet: uses no state and fetches the directory.
    static Result<std::unique_ptr<Client>> connect(const std::string& directory_url, std::string ca_file,
                                                   crypto::Key key, base::Milliseconds timeout,
                                                   base::Context& context);
    ~Client();

    const Directory& directory() const { return session_.directory; }
    const crypto::Key& key() const { return session_.key; }
    const std::string& account_url() const { return session_.account_url; }
    void set_account_url(std::string url) { session_.account_url = std::move(url); }
    StateDirectory& state() { return state_; }
    base::Context& context() { return context_; }
    std::chrono::steady_clock::time_point deadline() const { return deadline_; }
    /// Gives what follows `timeout` from now on: for the next of several pieces of work on this connection.
    void begin(base::Milliseconds timeout);
    /// Begins its timeout anew, after work that has limits of its own. --timeout is for a whole run all the
    /// same.
    void begin_again() { begin(timeout_); }

    /// One request, from nonce to reply.
    Result<Reply> post(Post post);

    /// An unsigned GET of `what.url`, for resources that need no account. Errors: the server's problem, the
    /// transport's.
    Result<Reply> get(const Post& what);

    /// Sleeps until the next poll, within the deadline; false if the deadline comes first.
    Result<bool> pause(base::Milliseconds duration, const std::string& what);

    /// Reads an authorization, which must be in `scope`. `created`: it is new, so replicas may lag.
    Result<Authorization> fetch_authorization(const std::string& url, const AuthorizationScope& scope,
                                              bool created = false);
    /// Polls until the authorization, known by URL and identifier, is valid. At the deadline, returns the
    /// authorization while it is still pending or processing. Errors: refused, with the challenge's error, if
    /// it became invalid.
    Result<Authorization> wait_until_valid(const Authorization& known, const std::string& challenge_type);

private:
    Client(base::Context& context, http::ClientOptions options, base::Milliseconds timeout);
    Result<void> load_directory(const std::string& url);
    Result<http::Response> send(const http::Request& request, const Post& post, bool nonce);

    base::Context& context_;
    http::Client http_;
    Session session_;
    StateDirectory state_;
    base::Milliseconds timeout_;
    std::chrono::steady_clock::time_point began_;
    std::chrono::steady_clock::time_point deadline_;
};

} // namespace acmetool::acme
