#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/secret.h"
#include "base/time.h"
#include "cli/program.h"
#include "est/ca_certificates.h"
#include "est/client.h"
#include "http/tls_client.h"

/// What programs that speak EST as a client share: options, trust, and the connection they lead to.
namespace acmetool::cli
{

struct EstOptions {
    est::ServerUrl server;
    std::string explicit_ta;
    bool implicit_ta = false;
    std::string fingerprint;
    std::string cert;
    std::string key;
    std::string key_passphrase_file;
    std::string user;
    std::string password_file;
    std::string auth = "any";
    std::string tls_max = "1.3";
    bool allow_redirect = false;
    base::Milliseconds retry_after{30'000}; ///< where the server says "not yet" but not for how long
    bool wait = false;
    bool once = false; ///< goes before `wait`
};

/// The options of server, trust and identity.
void add_est_server(Verb& verb, EstOptions& options);

/// The file's text without blanks around it; empty where there is no path.
Result<base::Secret> read_secret(const std::string& path, std::string_view option);

/// The connection to the server and what speaks over it.
class EstSession
{
public:
    /// Reads the files that the options name and, with a fingerprint, bootstraps. Errors: usage, config, and
    /// those of est::Client::cacerts and est::sort_out.
    static Result<std::unique_ptr<EstSession>> open(const EstOptions& options, Io& io);

    est::Client& client() { return *client_; }
    const http::ServerTrust& trust() const { return trust_; }
    /// What a bootstrap found out, sorted; nothing where there was none.
    const std::optional<est::CaCertificates>& bootstrapped() const { return bootstrapped_; }
    const std::optional<http::TlsIdentity>& identity() const { return identity_; }

private:
    Result<void> bootstrap(const EstOptions& options, const http::TlsClientOptions& tls, Io& io);

    http::ServerTrust trust_;
    std::optional<http::TlsIdentity> identity_;
    std::optional<est::CaCertificates> bootstrapped_;
    std::unique_ptr<http::TlsClient> transport_;
    std::unique_ptr<est::Client> client_;
};

} // namespace acmetool::cli
