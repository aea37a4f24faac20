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

/// Shared by the EST clients: options, trust, and the connection that they select.
namespace acmetool::cli
{

struct EstOptions {
    est::ServerUrl server;
    std::string explicit_ta;
    bool implicit_ta = false;
    bool no_clock = false;
    std::string fingerprint;
    std::string cert;
    std::string key;
    std::string key_passphrase_file;
    std::string user;
    std::string password_file;
    std::string auth = "any";
    std::string tls_max = "1.3";
    bool allow_redirect = false;
    base::Milliseconds retry_after{30'000}; ///< if the server answers "not yet" without a time
    bool wait = false;
    bool once = false; ///< takes precedence over `wait`
};

/// The options of server, trust and identity.
void add_est_server(Verb& verb, EstOptions& options);
/// For verbs that need no date.
void add_clock(Verb& verb, EstOptions& options);

/// The file's text without surrounding white space; empty if `path` is empty.
Result<base::Secret> read_secret(const std::string& path, std::string_view option);

/// Errc::unavailable if a later run with --explicit-ta and only `cas` would not accept the server that
/// `client` found.
Result<void> check_return(const est::CaCertificates& cas, const est::Client& client);

/// est::RunOptions::take_cas that writes the CA certificates to `file`, for later runs with --explicit-ta
/// (RFC 7030 section 4.1.3), and warns once if check_return() fails.
struct CasKeeper {
    std::string file;
    const est::Client& client;
    base::Context& context;
    bool warned = false;

    Result<void> operator()(const est::CaCertificates& cas);
};

/// The connection to the server and its EST client.
class EstSession
{
public:
    /// Reads the files named by the options and, if a fingerprint is given, bootstraps. Errors: usage,
    /// config, and those of est::Client::cacerts and est::sort_out.
    static Result<std::unique_ptr<EstSession>> open(const EstOptions& options, Io& io);

    est::Client& client() { return *client_; }
    const http::ServerTrust& trust() const { return trust_; }
    /// The sorted CA certificates of a bootstrap; nothing if there was none.
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
