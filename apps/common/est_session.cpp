#include "common/est_session.h"

#include <algorithm>
#include <utility>

#include <fmt/core.h>

#include "base/text.h"
#include "crypto/path.h"
#include "store/atomic_file.h"
#include "store/configured.h"
#include "store/secret_file.h"

namespace acmetool::cli
{
namespace
{

constexpr base::Milliseconds kLongestRun{3'600'000};

/// If the file has self-signed certificates, only these are trust anchors (RFC 7030 section 4.1.3); the
/// others help to build paths.
void add_explicit(const std::vector<crypto::Certificate>& certificates, http::ServerTrust& trust)
{
    for (const auto& certificate : certificates)
        (crypto::is_self_signed(certificate) ? trust.explicit_anchors : trust.explicit_others)
            .push_back(certificate);
    if (trust.explicit_anchors.empty()) trust.explicit_anchors.swap(trust.explicit_others);
}

Result<http::Credentials> read_credentials(const EstOptions& options)
{
    http::Credentials credentials;
    if (options.auth == "basic")
        credentials.scheme = http::AuthScheme::basic;
    else if (options.auth == "digest")
        credentials.scheme = http::AuthScheme::digest;
    if (options.user.empty() != options.password_file.empty())
        return fail(Errc::usage, "--user and --password-file must be given together",
                    "a password is only read from a file", "noPassword");
    credentials.user = options.user;
    ACMETOOL_TRY(password, read_secret(options.password_file, "--password-file"));
    credentials.password = std::move(password);
    return credentials;
}

} // namespace

void add_est_server(Verb& verb, EstOptions& options)
{
    verb.group("Server options");
    verb.option("--server URL", options.server.url, "EST server: https://HOST[:PORT]")
        .option("--label LABEL", options.server.label, "Label that selects one of the server's CAs")
        .option("--explicit-ta FILE", options.explicit_ta,
                "Trust anchors (PEM) for the server, whose certificate must have its name or id-kp-cmcRA")
        .flag("--implicit-ta", options.implicit_ta,
              "With --explicit-ta: also accept the trust anchors of the system or of --ca-file")
        .option("--fingerprint HASH", options.fingerprint,
                "Bootstrap: hash of the CA certificate, sha256:HEX or sha512:HEX")
        .option("--cert FILE", options.cert, "Client certificate for TLS followed by its chain, PEM")
        .option("--key KEY", options.key, "Private key of --cert (file or URI)")
        .option("--key-passphrase-file FILE", options.key_passphrase_file, "Passphrase of --key")
        .option("--user NAME", options.user, "User name for HTTP authentication")
        .option("--password-file FILE", options.password_file, "Password of --user")
        .option("--auth SCHEME", options.auth, "Allowed HTTP authentication: basic, digest or any")
        .choices({"basic", "digest", "any"})
        .option("--tls-max VERSION", options.tls_max,
                "Highest TLS version: 1.3, or 1.2 for servers that require tls-unique")
        .choices({"1.2", "1.3"})
        .flag("--allow-redirect", options.allow_redirect, "Follow redirects of a POST to another server")
        .group({});
}

void add_clock(Verb& verb, EstOptions& options)
{
    verb.flag("--no-clock", options.no_clock, "Ignore dates, for a device without a clock");
}

Result<base::Secret> read_secret(const std::string& path, std::string_view option)
{
    if (path.empty()) return base::Secret{};
    ACMETOOL_TRY(whole, store::read_configured_secret(path, option));
    return base::Secret{std::string{base::trim(whole.reveal())}};
}

Result<void> check_return(const est::CaCertificates& cas, const est::Client& client)
{
    http::ServerTrust later;
    add_explicit(cas.trusted, later);
    return http::authorize_server(client.server().certificates, client.server().host, later);
}

Result<void> CasKeeper::operator()(const est::CaCertificates& cas)
{
    ACMETOOL_CHECK(store::write_output(file, crypto::to_pem(cas.trusted), 0644, context));
    const auto accepted = check_return(cas, client);
    if (accepted || std::exchange(warned, true)) return {};
    context.log(
        base::Level::warning,
        fmt::format("a later run with --explicit-ta {} would not accept this server ({}): keep the trust "
                    "anchor of this run, or have the server's operator add the root of its TLS "
                    "certificate to /cacerts",
                    file, accepted.error().message));
    return {};
}

/// RFC 7030 section 4.1.1: gets /cacerts from an unauthenticated server, without presenting an identity. The
/// answer is used only if the fingerprint matches; a new TLS session follows.
Result<void> EstSession::bootstrap(const EstOptions& options, const http::TlsClientOptions& tls, Io& io)
{
    ACMETOOL_TRY(fingerprint, est::parse_fingerprint(options.fingerprint));
    auto provisional = tls;
    provisional.identity.reset();
    provisional.trust = {};
    provisional.trust.provisional = true;
    http::TlsClient transport{std::move(provisional), io.context()};
    est::ClientOptions plain;
    plain.server = options.server;
    est::Client client{std::move(plain), transport, io.context()};
    io.context().log(base::Level::info,
                     "requesting CA certificates from an unauthenticated server; the fingerprint must match");
    ACMETOOL_TRY(received, client.cacerts());
    ACMETOOL_TRY(sorted, est::sort_out(received, fingerprint, !options.no_clock));
    add_explicit(sorted.trusted, trust_);
    bootstrapped_ = std::move(sorted);
    return {};
}

Result<std::unique_ptr<EstSession>> EstSession::open(const EstOptions& options, Io& io)
{
    if (options.server.url.empty())
        return fail(Errc::usage, "no server given", "give --server https://HOST:PORT", "noServer");
    ACMETOOL_CHECK(est::url_of(options.server, est::Operation::cacerts));
    if (options.cert.empty() != options.key.empty())
        return fail(Errc::usage, "--cert and --key must be given together",
                    "give the client certificate and its private key", "noKey");
    store::warn_if_exposed(options.key, "--key", io.context());
    store::warn_if_exposed(options.key_passphrase_file, "--key-passphrase-file", io.context());
    store::warn_if_exposed(options.password_file, "--password-file", io.context());
    ACMETOOL_TRY(credentials, read_credentials(options));

    auto session = std::make_unique<EstSession>();
    if (!options.cert.empty()) {
        ACMETOOL_TRY(identity, http::load_identity(options.cert, options.key, options.key_passphrase_file));
        session->identity_ = std::move(identity);
        const auto time = crypto::time_fault(session->identity_->certificates.front(), io.context().now());
        if (!options.no_clock && !time.empty())
            io.context().log(base::Level::warning,
                             fmt::format("--cert {}: the server may refuse it: {}", options.cert, time));
    }
    http::TlsClientOptions tls;
    tls.tls12_only = options.tls_max == "1.2";
    if (const auto timeout = io.timeout()) {
        tls.request_timeout = std::min(tls.request_timeout, *timeout);
        tls.connect_timeout = std::min(tls.connect_timeout, *timeout);
    }
    auto& trust = session->trust_;
    trust.clock = !options.no_clock;
    if (!options.explicit_ta.empty()) {
        ACMETOOL_TRY(anchors, store::read_configured_certificates(options.explicit_ta, "--explicit-ta"));
        add_explicit(anchors, trust);
    }
    // RFC 7030 section 4.1.3: with an explicit anchor, the implicit ones SHOULD NOT be used for this server.
    const bool implicit = options.implicit_ta || (options.explicit_ta.empty() && options.fingerprint.empty());
    if (implicit) trust.implicit_anchors = crypto::TrustAnchors{{}, io.ca_file(), io.ca_file().empty()};
    if (!options.fingerprint.empty()) ACMETOOL_CHECK(session->bootstrap(options, tls, io));

    tls.trust = trust;
    tls.identity = session->identity_;
    session->transport_ = std::make_unique<http::TlsClient>(std::move(tls), io.context());
    est::ClientOptions client;
    client.server = options.server;
    client.credentials = std::move(credentials);
    client.allow_redirect = options.allow_redirect;
    client.default_wait =
        std::max(std::chrono::ceil<std::chrono::seconds>(options.retry_after), std::chrono::seconds{1});
    client.wait = options.wait && !options.once;
    client.total_deadline = io.timeout().value_or(kLongestRun);
    session->client_ = std::make_unique<est::Client>(std::move(client), *session->transport_, io.context());
    return session;
}

} // namespace acmetool::cli
