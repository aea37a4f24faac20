#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/context.h"
#include "base/json.h"
#include "base/output_queue.h"
#include "base/result.h"
#include "base/time.h"
#include "ca/authority.h"
#include "ca/faults.h"
#include "ca/validation.h"
#include "http/server.h"

namespace acmetool::ca
{

enum class Subdomains { on, off, ancestor_only };

/// What newOrder's "profile" chooses (draft-ietf-acme-profiles).
struct CertificateProfile {
    std::string name;
    std::chrono::seconds lifetime{};
    std::string purposes = "serverAuth,clientAuth"; ///< extended key usages
    std::string description;                        ///< for people
};
/// "NAME=LIFETIME" or "NAME=LIFETIME:PURPOSE+PURPOSE", as in "short=6d:serverAuth". Errors: usage.
ACMETOOL_EXPORT Result<CertificateProfile> parse_profile(std::string_view text);

enum class ExternalBinding { off, optional, required };

/// How many orders an account may place in a time.
struct RateLimit {
    unsigned orders = 0; ///< 0: no limit
    std::chrono::seconds period{};
};
/// "ORDERS/DURATION", as in "5/1h". Errors: usage.
ACMETOOL_EXPORT Result<RateLimit> parse_rate_limit(std::string_view text);

struct ServiceOptions {
    std::string database;                   ///< path of acme-ca.db
    std::string base_url;                   ///< "https://127.0.0.1:14000"
    std::string request_log;                ///< one JSON document a request; empty: none
    Subdomains subdomains = Subdomains::on; ///< RFC 9444 policy
    bool new_authz = true;                  ///< RFC 8555 section 7.4.1
    std::string terms_of_service;           ///< URL; empty: none
    std::chrono::seconds authz_lifetime{std::chrono::hours{24 * 30}};
    std::chrono::seconds order_lifetime{std::chrono::hours{24}};
    std::chrono::seconds certificate_lifetime{std::chrono::hours{24 * 7}};
    std::vector<CertificateProfile> profiles; ///< the first is for orders that name none
    ExternalBinding external_binding = ExternalBinding::off;
    std::string eab_keys_file; ///< one "KID KEY" a line, the key in base64url; read for each new account
    bool renewal_info = true;  ///< RFC 9773
    RateLimit rate_limit;
    ValidationOptions validation;
};

/// A new key for external account binding (RFC 8555 section 7.3.4), 256 bits in base64url, added to the file
/// (mode 0600) under `kid`, or under a new name where that is empty. Errors: io, cannot_create, usage (the
/// name is taken or has blanks).
struct BindingKey {
    std::string kid;
    std::string key;
};
ACMETOOL_EXPORT Result<BindingKey> add_binding_key(const std::string& file, std::string kid);

/// The server side of RFC 8555, RFC 9444, RFC 9773 and their neighbours: requests in, replies out,
/// validations in the background.
///
/// Signatures are verified on the caller's thread; the rest is a job of the one writer (store::GroupCommit).
/// Every change is on disk before its reply goes out. handle() may be called from several threads.
class ACMETOOL_EXPORT Service
{
public:
    /// `authority`, `faults` and `context` outlive the service. Errors: io. Validations that a crash
    /// interrupted are taken up again.
    static Result<std::unique_ptr<Service>> open(ServiceOptions options, const Authority& authority,
                                                 Faults& faults);
    ~Service();
    Service(const Service&) = delete;
    Service& operator=(const Service&) = delete;

    /// An http::Server's handler: `respond` is called or dropped, from any thread, at the latest in the
    /// destructor.
    void handle(http::ServerRequest request, http::Responder respond);
    /// Why the last change was not stored; nothing once one was.
    std::optional<Error> problem() const;
    /// How the request log does, if one is kept.
    std::vector<base::OutputHealth> outputs() const;

    /// Calls `look` for each certificate that the database says was issued, oldest first: serial,
    /// identifiers, notBefore, notAfter, revoked and others. Any number of them needs the same memory.
    /// Errors: io, and those of `look`.
    static Result<void> each_certificate(const std::string& database,
                                         const std::function<Result<void>(base::Json)>& look);

private:
    struct Impl;
    explicit Service(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

} // namespace acmetool::ca
