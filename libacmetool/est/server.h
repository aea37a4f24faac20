#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "crypto/cert.h"
#include "crypto/key.h"
#include "enrol/registration_authority.h"
#include "est/login.h"
#include "http/server.h"

namespace acmetool::est
{

/// The signer of errors in CMC form (RFC 7030 section 4.2.3).
struct ErrorSigner {
    crypto::Key key;
    crypto::Certificate certificate;
    std::vector<crypto::Certificate> chain; ///< included in the message
};

struct ServerOptions {
    LoginOptions logins;               ///< 401 offers them
    bool strict_body = false;          ///< only bodies in base64 (RFC 8951 section 3)
    std::optional<std::size_t> wrap;   ///< characters per line of base64; 0: one line; nothing: as the client
                                       ///< appears to need
    std::optional<ErrorSigner> signer; ///< errors as Full PKI Response for authenticated clients; none: text
};

/// The outcome of one request, for logs (ESTS-22). Contains no secrets.
struct RequestEvent {
    std::string request_id;
    std::string operation; ///< "simpleenroll" ...; empty: not an operation of EST
    std::string label;
    std::string address; ///< of the client
    std::string client;  ///< subject and serial of its certificate, or its name; not verified; may be empty
    std::string csr_sha256;               ///< lower-case hexadecimal; may be empty
    std::vector<std::string> identifiers; ///< of the CSR
    std::string decision;                 ///< "issued", "pending", the name of a Refusal, or empty
    std::string serial;                   ///< of the certificate issued
    std::string text;                     ///< why not
    std::optional<std::chrono::seconds> retry_after;
    int status = 0;
    std::chrono::microseconds took{0};
};

/// Enrollment over Secure Transport (RFC 7030, RFC 8951): /cacerts, /csrattrs, /simpleenroll and
/// /simplereenroll below /.well-known/est and /.well-known/est/<label>. Independent of sockets.
///
/// Status of refusals (INT-19): bad_request and pop_failed 400, bad_identity, forbidden 403, not_found 404,
/// too_many 429, internal 502, unavailable 503; unauthenticated 401 if there are logins, else 403 (RFC
/// 9110 section 15.5.2 requires a challenge with each 401).
class ACMETOOL_EXPORT Server
{
public:
    using Observer = std::function<void(const RequestEvent&)>;

    /// `authority` is not owned; the server must outlive it and its pending decisions. `observer` is called
    /// by several threads at once, before the answer is sent; `arrival` is called in the same way, before the
    /// authority and `observer`. Both may be empty.
    Server(enrol::RegistrationAuthority& authority, ServerOptions options, Observer observer,
           Observer arrival = {});
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    /// Applies to new requests.
    void configure(ServerOptions options);

    /// Answers one request, immediately or when the registration authority decides. The HTTP server limits
    /// the body's size.
    void handle(const http::ServerRequest& request, http::Responder respond);

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace acmetool::est
