#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/context.h"
#include "base/result.h"
#include "crypto/cert.h"
#include "crypto/csr.h"
#include "est/csrattrs.h"
#include "est/operation.h"
#include "http/authentication.h"
#include "http/tls_client.h"

namespace acmetool::est
{

struct ClientOptions {
    ServerUrl server;
    /// Sent once per challenge; if they permit Basic, unasked with all but /cacerts, because a server may
    /// answer a client that it does not know and never ask.
    http::Credentials credentials;
    bool allow_redirect = false;           ///< follow a POST to another origin (RFC 7030 section 3.2.1)
    std::chrono::seconds default_wait{30}; ///< used if a 202 has no valid Retry-After
    std::optional<base::Milliseconds> total_deadline; ///< of one enrolment, including all waits
    bool wait = true;                                 ///< false: a 202 ends the enrolment as `pending`
};

/// The request to enrol.
struct EnrolTask {
    bool renewal = false; ///< /simplereenroll
    crypto::Csr csr;      ///< sent unchanged in every attempt if there is no `bind`
    /// Creates the CSR for a channel binding (base64) with the same key. If set, the CSR is always bound to
    /// the connection on which it is sent (RFC 7030 sections 3.5 and 4.2.3).
    std::function<Result<crypto::Csr>(const std::string& binding)> bind;
    /// Called before a new CSR is sent; may be empty.
    std::function<Result<void>(const crypto::Csr&)> before_send;
};

struct Enrolment {
    std::vector<crypto::Certificate> certificates; ///< ours first; empty while `pending`
    std::string url;                               ///< where it was enrolled
    crypto::Csr csr;                               ///< as last sent
    bool pending = false;
    std::chrono::seconds retry_after{0}; ///< of a pending one
};

/// A blocking EST client (RFC 7030, 8951, 9908) over any transport.
///
/// Errors of all operations: those of the transport; refused (4xx), rate_limited (429), unavailable (5xx),
/// temporary (503 with Retry-After), protocol. Reason "notImplemented" for 404 and 501, "unauthenticated" for
/// 401, "redirectRefused" if a redirect must not be followed, else the CMCFailInfo's name if the server sent
/// one.
class ACMETOOL_EXPORT Client
{
public:
    Client(ClientOptions options, http::Transport& transport, base::Context& context);

    /// GET /cacerts. Returns untrusted certificates as received (see est/ca_certificates.h).
    Result<std::vector<crypto::Certificate>> cacerts();

    /// The host that answered the last cacerts(), and its certificates as it sent them.
    struct Server {
        std::string host;
        std::vector<crypto::Certificate> certificates;
    };
    const Server& server() const { return server_; }

    /// GET /csrattrs, as DER for parse_csrattrs; empty if the server requests nothing (200 empty, 204, 404).
    Result<Bytes> csrattrs();

    /// POST /simpleenroll or /simplereenroll until there is a certificate for the CSR's key, a refusal, or
    /// the deadline. At the deadline, and without `wait`, the enrolment is returned as pending.
    Result<Enrolment> enrol(const EnrolTask& task);

private:
    /// A request that can be sent repeatedly.
    struct Call {
        Operation operation;
        http::Method method = http::Method::get;
        http::Headers headers;
        /// The body for this connection; empty for GET.
        std::function<Result<std::string>(const http::Connection&)> body;
        std::string names = {}; ///< requested by the body; for messages
    };
    Result<http::Response> perform(const Call& call);
    Result<http::Response> exchange(const Call& call, http::Request request,
                                    const http::Connection& connection);
    base::Message message_of(const Call& call) const;
    Result<http::Url> redirected(const Call& call, const http::Url& from, const http::Response& response);
    bool may_log_in(const http::Url& url) const;
    void log_in_unasked(const Call& call, const http::Url& url);
    bool take_challenge(const http::Response& response, const http::Url& url, unsigned answered);
    Result<std::chrono::seconds> wait_after(const Call& call, const http::Response& response);

    ClientOptions options_;
    http::Transport& transport_;
    base::Context& context_;
    std::optional<http::Challenge> challenge_;
    unsigned answers_ = 0; ///< to challenge_'s nonce
    Server server_;
};

/// The body of an enrolment: base64 in lines of 64 (RFC 8951 section 3).
ACMETOOL_EXPORT std::string enrol_body(const crypto::Csr& csr);

} // namespace acmetool::est
