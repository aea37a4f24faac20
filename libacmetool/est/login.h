#pragma once

#include <memory>
#include <optional>

#include "enrol/registration_authority.h"
#include "http/digest_server.h"
#include "http/server.h"

/// Logins with user and password (RFC 7030 section 3.2.3): reads them from a request and asks for them. The
/// registration authority knows the users.
namespace acmetool::est
{

struct LoginOptions {
    bool basic = false;                        ///< HTTP Basic is available
    std::optional<http::DigestOptions> digest; ///< HTTP Digest is available
    bool basic_first = false;                  ///< the challenge, for clients that read only the first one

    bool available() const { return basic || digest; }
    bool operator==(const LoginOptions&) const = default;
};

/// What a request contains.
struct Login {
    bool given = false;  ///< a user name; also one that is of no use here
    bool usable = false; ///< by a scheme that is available
    /// The nonce is too old, or was used before with this count: the client can repeat the request with a new
    /// one.
    bool stale = false;
};

class Logins
{
public:
    explicit Logins(const LoginOptions& options);

    /// Reads the login into `peer`. Where the registration authority finds that it was used before, `login`
    /// becomes stale.
    void read(const http::ServerRequest& request, enrol::Peer& peer,
              const std::shared_ptr<Login>& login) const;
    /// Adds the WWW-Authenticate headers of a 401.
    void challenge(http::Headers& headers, bool stale) const;

    const LoginOptions& options() const { return options_; }

private:
    LoginOptions options_;
    std::shared_ptr<http::DigestNonces> nonces_; ///< null without Digest
};

} // namespace acmetool::est
