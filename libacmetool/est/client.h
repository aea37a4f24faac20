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
    http::Credentials credentials;         ///< given only when the server asks, and once for each challenge
    bool allow_redirect = false;           ///< follow a POST to another origin (RFC 7030 section 3.2.1)
    std::chrono::seconds default_wait{30}; ///< where a 202 says nothing usable
    std::optional<base::Milliseconds> total_deadline; ///< of one enrolment, all waits included
    bool wait = true;                                 ///< false: a 202 ends the enrolment as `pending`
};

/// What is to be enrolled.
struct EnrolTask {
    bool renewal = false; ///< /simplereenroll
    crypto::Csr csr;      ///< sent as it is, again and again, where there is no `bind`
    /// Makes the CSR for a channel binding (base64), same key. Where it is set, the CSR sent is always one
    /// for the connection it is sent on (RFC 7030 sections 3.5 and 4.2.3).
    std::function<Result<crypto::Csr>(const std::string& binding)> bind;
    /// Called before a CSR that was not sent yet is sent; may be empty.
    std::function<Result<void>(const crypto::Csr&)> before_send;
};

struct Enrolment {
    std::vector<crypto::Certificate> certificates; ///< ours first; empty while `pending`
    std::string url;                               ///< where it was enrolled
    crypto::Csr csr;                               ///< as sent last
    bool pending = false;
    std::chrono::seconds retry_after{0}; ///< of a pending one
};

/// An EST client (RFC 7030, 8951, 9908): blocking, over whatever transport it is given.
///
/// Errors of all operations: those of the transport; refused (4xx), rate_limited (429), unavailable (5xx),
/// temporary (503 with Retry-After), protocol. Reason "notImplemented" for 404 and 501, "unauthenticated" for
/// 401, "redirectRefused" where a redirect may not be followed, else the CMCFailInfo's name if the server
/// sent one.
class ACMETOOL_EXPORT Client
{
public:
    Client(ClientOptions options, http::Transport& transport, base::Context& context);

    /// GET /cacerts, as received: nothing of it is trusted yet (see est/ca_certificates.h).
    Result<std::vector<crypto::Certificate>> cacerts();

    /// GET /csrattrs, as DER for parse_csrattrs; empty where nothing is asked (200 empty, 204, 404).
    Result<Bytes> csrattrs();

    /// POST /simpleenroll or /simplereenroll until there is a certificate of the CSR's key, or a refusal, or
    /// the deadline: then, and with `wait` off, the enrolment is returned as pending.
    Result<Enrolment> enrol(const EnrolTask& task);

private:
    /// What one request needs to be sent as often as it takes.
    struct Call {
        Operation operation;
        http::Method method = http::Method::get;
        http::Headers headers;
        /// The body for this very connection; empty for GET.
        std::function<Result<std::string>(const http::Connection&)> body;
        std::string names = {}; ///< that the body asks for; for people who watch
    };
    Result<http::Response> perform(const Call& call);
    Result<http::Response> exchange(const Call& call, http::Request request,
                                    const http::Connection& connection);
    base::Message message_of(const Call& call) const;
    Result<http::Url> redirected(const Call& call, const http::Url& from, const http::Response& response);
    bool take_challenge(const http::Response& response, const http::Url& url, unsigned answered);
    Result<std::chrono::seconds> wait_after(const Call& call, const http::Response& response);

    ClientOptions options_;
    http::Transport& transport_;
    base::Context& context_;
    std::optional<http::Challenge> challenge_;
    unsigned answers_ = 0; ///< to challenge_'s nonce
};

/// The body of an enrolment: base64 in lines of 64 (RFC 8951 section 3).
ACMETOOL_EXPORT std::string enrol_body(const crypto::Csr& csr);

} // namespace acmetool::est
