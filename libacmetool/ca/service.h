#pragma once

#include <memory>
#include <string>

#include "base/context.h"
#include "base/json.h"
#include "base/result.h"
#include "base/time.h"
#include "ca/authority.h"
#include "ca/faults.h"
#include "ca/validation.h"
#include "http/server.h"

namespace acmetool::ca
{

enum class Subdomains { on, off, ancestor_only };

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
    ValidationOptions validation;
};

/// The server side of RFC 8555 and RFC 9444: requests in, replies out, validations in the background.
///
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

    http::ServerResponse handle(const http::ServerRequest& request);

    /// What the database says was issued: an array of serial, identifiers, notAfter and revoked. Errors: io.
    static Result<base::Json> list_certificates(const std::string& database);

private:
    struct Impl;
    explicit Service(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

} // namespace acmetool::ca
