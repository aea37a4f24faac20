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
#include "http/server.h"

namespace acmetool::est
{

/// Who signs errors in CMC form (RFC 7030 section 4.2.3).
struct ErrorSigner {
    crypto::Key key;
    crypto::Certificate certificate;
    std::vector<crypto::Certificate> chain; ///< sent along
};

struct ServerOptions {
    bool basic = false;              ///< HTTP Basic can authenticate here: 401 offers it
    bool strict_body = false;        ///< bodies in base64 alone (RFC 8951 section 3)
    std::optional<std::size_t> wrap; ///< characters in a line of base64, 0: one line; nothing: as the client
                                     ///< seems to need it
    std::optional<ErrorSigner> signer; ///< errors as Full PKI Response to whom is authenticated; none: text
};

/// What became of one request, for logs (ESTS-22). Nothing secret is in it.
struct RequestEvent {
    std::string request_id;
    std::string operation; ///< "simpleenroll" ...; empty: no operation of EST
    std::string label;
    std::string address; ///< of the client
    std::string client;  ///< subject and serial of its certificate, or its name; not verified; may be empty
    std::string csr_sha256;               ///< lower-case hexadecimal; may be empty
    std::vector<std::string> identifiers; ///< of the CSR
    std::string decision;                 ///< "issued", "pending", the name of a Refusal, or empty
    std::string serial;                   ///< of the certificate issued
    std::string text;                     ///< why not
    int status = 0;
    std::chrono::microseconds took{0};
};

/// Enrolment over Secure Transport (RFC 7030, RFC 8951): /cacerts, /csrattrs, /simpleenroll and
/// /simplereenroll below /.well-known/est and /.well-known/est/<label>. No sockets in it.
///
/// Status of refusals (INT-19): bad_request and pop_failed 400, bad_identity, forbidden 403, not_found 404,
/// too_many 429, internal 502, unavailable 503; unauthenticated 401 where HTTP Basic can help, else 403
/// (RFC 9110 section 15.5.2 wants a challenge with each 401).
class ACMETOOL_EXPORT Server
{
public:
    using Observer = std::function<void(const RequestEvent&)>;

    /// `authority` is not owned; both it and the decisions it still owes go before the server does.
    /// `observer` is called by several threads at once, before the answer leaves; `arrival` likewise, before
    /// the authority is asked. Both may be empty.
    Server(enrol::RegistrationAuthority& authority, ServerOptions options, Observer observer,
           Observer arrival = {});
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    /// For requests that come from now on.
    void configure(ServerOptions options);

    /// Answers one request, at once or when the registration authority decided. The body's size is the HTTP
    /// server's matter.
    void handle(const http::ServerRequest& request, http::Responder respond);

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace acmetool::est
