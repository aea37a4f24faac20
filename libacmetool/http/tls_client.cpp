#include "http/tls_client.h"

#include <algorithm>
#include <array>
#include <atomic>

#include <fmt/core.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/text.h"
#include "crypto/certificate_context.h"
#include "crypto/key_uri.h"
#include "crypto/openssl.h"
#include "http/response_reader.h"
#include "http/url.h"
#include "net/socket.h"
#include "store/configured.h"

namespace acmetool::http
{
namespace
{

using CtxPtr = crypto::Owned<SSL_CTX, SSL_CTX_free>;
using SslPtr = crypto::Owned<SSL, SSL_free>;

std::vector<crypto::Certificate> copies_of(const STACK_OF(X509) * stack)
{
    std::vector<crypto::Certificate> copies;
    for (int i = 0; i < sk_X509_num(stack); ++i) {
        X509* const x509 = sk_X509_value(stack, i);
        if (X509_up_ref(x509) == 1) copies.push_back(crypto::Certificate::adopt(x509));
    }
    return copies;
}

/// Input and result of the verification callback.
struct Verification {
    const ServerTrust* trust = nullptr;
    const std::string* host = nullptr;
    std::optional<Error> refusal;
};

int verify_server(X509_STORE_CTX* context, void* user)
{
    auto& verification = *static_cast<Verification*>(user);
    const auto certificates = copies_of(X509_STORE_CTX_get0_untrusted(context));
    auto verdict = authorize_server(certificates, *verification.host, *verification.trust);
    if (verdict) {
        X509_STORE_CTX_set_error(context, X509_V_OK);
        return 1;
    }
    verification.refusal = std::move(verdict).error();
    X509_STORE_CTX_set_error(context, X509_V_ERR_APPLICATION_VERIFICATION);
    return 0;
}

/// The certificate with its chain, completed from what is known of the server's CA: it often is the device's
/// as well.
Result<void> set_identity(SSL_CTX* context, const TlsIdentity& identity, const ServerTrust& trust)
{
    if (identity.certificates.empty() ||
        SSL_CTX_use_certificate(context, identity.certificates.front().get()) != 1 ||
        SSL_CTX_use_PrivateKey(context, identity.key.get()) != 1) {
        auto failure = crypto::openssl_failure(Errc::config, "the client certificate cannot be used for TLS");
        failure.value().reason = Cause::tls_identity;
        return failure;
    }
    auto known = trust.explicit_others;
    known.insert(known.end(), trust.explicit_anchors.begin(), trust.explicit_anchors.end());
    const auto chain = crypto::complete_chain(identity.certificates, known);
    for (std::size_t i = 1; i < chain.size(); ++i)
        if (SSL_CTX_add1_chain_cert(context, chain[i].get()) != 1)
            return crypto::openssl_failure(Errc::internal, "adding the client certificate's chain");
    return {};
}

/// Sends certificate_authorities (RFC 8446 section 4.2.4) with the names of explicit anchors, so that a
/// server with several certificates presents the right one (RFC 7030 section 4.1.3). Not beside implicit
/// anchors: a server below one of those has to be answered as well.
Result<void> name_authorities(SSL_CTX* context, const ServerTrust& trust)
{
    constexpr std::size_t kMostNames = 50; // a ClientHello has to stay small
    const auto& anchors = trust.explicit_anchors;
    if (trust.implicit_anchors || trust.provisional || trust.pinned_server || anchors.empty() ||
        anchors.size() > kMostNames)
        return {};
    STACK_OF(X509_NAME)* const names = sk_X509_NAME_new_null();
    for (const auto& anchor : anchors) {
        X509_NAME* const name = X509_NAME_dup(X509_get_subject_name(anchor.get()));
        if (names == nullptr || name == nullptr || sk_X509_NAME_push(names, name) == 0) {
            X509_NAME_free(name);
            sk_X509_NAME_pop_free(names, X509_NAME_free);
            return crypto::openssl_failure(Errc::internal, "naming trust anchors");
        }
    }
    SSL_CTX_set0_CA_list(context, names);
    return {};
}

} // namespace

Result<void> authorize_server(const std::vector<crypto::Certificate>& certificates, const std::string& host,
                              const ServerTrust& trust)
{
    if (trust.provisional) return {};
    if (certificates.empty())
        return fail(Errc::unavailable, "the server presented no certificate", {}, Cause::tls);
    const auto& server = certificates.front();
    const bool named = crypto::is_valid_for(server, host);
    std::optional<Error> why;
    if (!trust.explicit_anchors.empty()) {
        // Section 3.6.1: "the client MUST check either the configured URI or the most recent HTTP redirection
        // URI against the server's identity ..., or the EST server certificate MUST contain the id-kp-cmcRA
        // [RFC6402] extended key usage extension." That purpose also authorizes a TLS server here.
        const bool registration_authority = crypto::has_extended_key_usage(server, crypto::kCmcRaPurpose);
        const bool pinned = trust.pinned_server &&
                            std::any_of(trust.explicit_anchors.begin(), trust.explicit_anchors.end(),
                                        [&](const auto& one) { return one.sha256() == server.sha256(); });
        auto others = certificates;
        others.insert(others.end(), trust.explicit_others.begin(), trust.explicit_others.end());
        auto policy = registration_authority || pinned ? crypto::PathPolicy::known_est_server()
                                                       : crypto::PathPolicy::tls_server();
        policy.clock = trust.clock;
        const auto path = crypto::verify_path(server, others, {trust.explicit_anchors, {}, false}, policy);
        if (path && (named || registration_authority || pinned)) return {};
        if (!path) why = path.error();
    }
    if (trust.implicit_anchors) {
        auto policy = crypto::PathPolicy::tls_server();
        policy.clock = trust.clock;
        const auto path = crypto::verify_path(server, certificates, *trust.implicit_anchors, policy);
        if (path && named) return {};
        if (!path && (!why || path.error().code == Errc::config)) why = path.error();
        if (path) why.reset(); // only the name is wrong
    }
    if (why && why->code == Errc::config) return fail(*why);
    if (why)
        return fail(
            Errc::unavailable, fmt::format("the server's certificate does not verify: {}", why->message),
            why->hint.empty() ? "give the trust anchors of its path: with --explicit-ta for the EST CA, with "
                                "--ca-file for another root"
                              : why->hint + "; --no-clock is for hosts without a clock",
            Cause::tls);
    return fail(Errc::unavailable,
                fmt::format("the server's certificate ({}) is not for {}", server.subject(), host),
                trust.explicit_anchors.empty() ? "the certificate must contain the name in the URL"
                                               : "the certificate must contain the name in the URL, or "
                                                 "id-kp-cmcRA among its extended key usages",
                Cause::tls);
}

Result<TlsIdentity> load_identity(const std::string& certificate_file, const std::string& key_file,
                                  const std::string& passphrase_file)
{
    base::Secret passphrase;
    if (!passphrase_file.empty()) {
        ACMETOOL_TRY(text, store::read_configured_secret(passphrase_file, "passphrase file"));
        passphrase = base::Secret{std::string{base::trim(text.reveal())}};
    }
    ACMETOOL_TRY(certificates, store::read_configured_certificates(certificate_file, "client certificate"));
    const auto load = [&]() -> Result<crypto::Key> {
        if (crypto::is_key_uri(key_file)) return crypto::load_key_uri(key_file, passphrase);
        return store::read_configured_key(key_file, "key of the client certificate", passphrase);
    };
    ACMETOOL_TRY(key, load());
    if (!certificates.front().public_key().same_public_key(key))
        return fail(Errc::config,
                    fmt::format("{} is not the key of the certificate in {}", key_file, certificate_file),
                    "give files that belong together, with the device's certificate first in its file",
                    Cause::tls_identity);
    return TlsIdentity{std::move(certificates), key};
}

namespace
{

/// OpenSSL calls this when the server requests a client certificate, in the handshake or after it.
int note_request(SSL* /*ssl*/, void* asked)
{
    *static_cast<bool*>(asked) = true;
    return 1;
}

} // namespace

struct TlsClient::Impl {
    TlsClientOptions options;
    base::Context& context;
    CtxPtr ssl_context;
    net::Socket socket;
    SslPtr ssl;
    std::string origin;
    Connection connection;
    Verification verification;
    bool client_asked = false; ///< for a certificate, on this connection

    Result<void> prepare();
    Result<void> open(const Url& url);
    bool is_alive() const;
    void close();
    Result<void> write(std::string_view text, net::Deadline deadline);
    Result<std::string> read(net::Deadline deadline);
    Result<Response> exchange(const Request& request, const Url& url);
    /// Waits for the event that OpenSSL needs according to `result`; any other result ends the connection.
    Result<void> await(int result, net::Deadline deadline, std::string_view doing);
};

Result<void> TlsClient::Impl::prepare()
{
    if (ssl_context) return {};
    const auto* const properties = options.identity ? crypto::properties_for(options.identity->key) : nullptr;
    auto* const library =
        options.identity ? crypto::certificate_context(options.identity->key) : crypto::certificate_context();
    ssl_context.reset(SSL_CTX_new_ex(library, properties, TLS_client_method()));
    if (!ssl_context) return crypto::openssl_failure(Errc::internal, "preparing TLS");
    auto* const raw = ssl_context.get();
    SSL_CTX_set_security_level(raw, crypto::kSecurityLevel);
    SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION);
    if (options.tls12_only) SSL_CTX_set_max_proto_version(raw, TLS1_2_VERSION);
    SSL_CTX_set_options(raw, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_verify(raw, SSL_VERIFY_PEER, nullptr);
    SSL_CTX_set_cert_verify_callback(raw, verify_server, &verification);
    constexpr std::array<unsigned char, 9> kHttp11{8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
    SSL_CTX_set_alpn_protos(raw, kHttp11.data(), kHttp11.size());
    ACMETOOL_CHECK(name_authorities(raw, options.trust));
    SSL_CTX_set_cert_cb(raw, note_request, &client_asked);
    if (!options.identity) return {};
    // RFC 8446 section 4.2.6: a server that decides by the path of the request asks after it has read that.
    SSL_CTX_set_post_handshake_auth(raw, 1);
    return set_identity(raw, *options.identity, options.trust);
}

void TlsClient::Impl::close()
{
    if (ssl && SSL_is_init_finished(ssl.get()) == 1) SSL_shutdown(ssl.get());
    ssl.reset();
    socket = net::Socket{};
    origin.clear();
    ERR_clear_error();
}

bool TlsClient::Impl::is_alive() const
{
    if (!ssl) return false;
    if (!socket.has_input()) return true;
    // Session tickets of TLS 1.3 may be pending, or the peer's close_notify.
    char octet = 0;
    const int got = SSL_peek(ssl.get(), &octet, 1);
    const bool alive = got <= 0 && SSL_get_error(ssl.get(), got) == SSL_ERROR_WANT_READ;
    ERR_clear_error();
    return alive;
}

Result<void> TlsClient::Impl::await(int result, net::Deadline deadline, std::string_view doing)
{
    const int wants = SSL_get_error(ssl.get(), result);
    if (wants == SSL_ERROR_WANT_READ || wants == SSL_ERROR_WANT_WRITE)
        return socket.wait(wants == SSL_ERROR_WANT_WRITE, deadline, context);
    if (verification.refusal) {
        ERR_clear_error();
        return fail(*std::exchange(verification.refusal, std::nullopt));
    }
    if (wants == SSL_ERROR_SSL) {
        const auto code = ERR_peek_error();
        const bool cut = ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
        auto failure = crypto::openssl_failure(Errc::unavailable, doing);
        failure.value().reason = cut ? Cause::reset : Cause::tls;
        // RFC 8446 section 6.2: alerts 42 to 49 and 116 concern our certificate.
        const int alert = ERR_GET_REASON(code) - SSL_AD_REASON_OFFSET;
        if ((alert >= 42 && alert <= 49) || alert == 116)
            failure.value().hint = options.identity
                                       ? "the server does not accept our certificate (--cert)"
                                       : "the server requires a client certificate: give --cert and --key";
        return failure;
    }
    ERR_clear_error();
    return fail(Errc::unavailable, fmt::format("{}: the connection broke", doing),
                "the connection broke; run the same command again", Cause::reset);
}

Result<void> TlsClient::Impl::open(const Url& url)
{
    ACMETOOL_CHECK(prepare());
    close();
    const auto deadline = context.steady_now() + options.connect_timeout;
    ACMETOOL_TRY(connected, net::Socket::connect(url.host, url.port, deadline, context));
    socket = std::move(connected);
    ssl.reset(SSL_new(ssl_context.get()));
    if (!ssl || SSL_set_fd(ssl.get(), socket.fd()) != 1)
        return crypto::openssl_failure(Errc::internal, "preparing a TLS connection");
    const bool address = url.host.find(':') != std::string::npos ||
                         url.host.find_first_not_of("0123456789.") == std::string::npos;
    if (!address) SSL_set_tlsext_host_name(ssl.get(), url.host.c_str());
    verification = {&options.trust, &url.host, std::nullopt};
    client_asked = false;
    for (int done = 0; (done = SSL_connect(ssl.get())) != 1;)
        if (auto waited = await(done, deadline, "TLS handshake"); !waited) {
            close();
            return fail(std::move(waited).error());
        }
    verification.host = nullptr;
    static std::atomic<std::uint64_t> last_id{0};
    origin = url.origin();
    connection = {.id = ++last_id,
                  .tls_version = SSL_get_version(ssl.get()),
                  .requests = 0,
                  .provisional = options.trust.provisional,
                  .server_certificates = copies_of(SSL_get_peer_cert_chain(ssl.get())),
                  .binding = crypto::channel_binding(ssl.get(), crypto::Side::client)};
    return {};
}

Result<void> TlsClient::Impl::write(std::string_view text, net::Deadline deadline)
{
    while (!text.empty()) {
        std::size_t written = 0;
        const int done = SSL_write_ex(ssl.get(), text.data(), text.size(), &written);
        if (done == 1)
            text.remove_prefix(written);
        else
            ACMETOOL_CHECK(await(done, deadline, "sending the request"));
    }
    return {};
}

/// Some octets; none at the end of the connection.
Result<std::string> TlsClient::Impl::read(net::Deadline deadline)
{
    std::array<char, 16384> buffer{};
    for (;;) {
        std::size_t got = 0;
        const int done = SSL_read_ex(ssl.get(), buffer.data(), buffer.size(), &got);
        if (done == 1) return std::string{buffer.data(), got};
        if (SSL_get_error(ssl.get(), done) == SSL_ERROR_ZERO_RETURN) return std::string{};
        ACMETOOL_CHECK(await(done, deadline, "reading the reply"));
    }
}

Result<Response> TlsClient::Impl::exchange(const Request& request, const Url& url)
{
    std::string head = fmt::format("{} {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: {}\r\n",
                                   name_of(request.method), url.target, url.host_field(), options.user_agent);
    for (const auto& [name, value] : request.headers)
        head += fmt::format("{}: {}\r\n", name, value);
    if (request.method == Method::post) head += fmt::format("Content-Length: {}\r\n", request.body.size());
    head += "\r\n";

    const auto started = context.steady_now();
    const auto deadline = started + options.request_timeout;
    const auto sent = write(head + request.body, deadline);
    // A server that refuses may answer and close before it has read everything.
    if (!sent && sent.error().reason != Cause::reset) return fail(sent.error());
    ResponseReader reader{options.body_limit};
    while (!reader.done()) {
        auto octets = read(deadline);
        if (!octets && octets.error().reason != Cause::reset) return fail(std::move(octets).error());
        const bool closed = !octets || octets->empty();
        if (closed && reader.untouched())
            return fail(!sent ? sent.error()
                              : Error{.code = Errc::unavailable,
                                      .message = "the server closed the connection without an answer",
                                      .hint = "run the same command again",
                                      .reason = Cause::reset,
                                      .problem_type = {},
                                      .problem = {},
                                      .retry_after = {}});
        if (closed)
            ACMETOOL_CHECK(reader.end());
        else
            ACMETOOL_CHECK(reader.put(*octets));
    }
    const bool keep = reader.keeps_connection();
    auto response = reader.take();
    response.client_asked = client_asked;
    response.took = std::chrono::duration_cast<std::chrono::milliseconds>(context.steady_now() - started);
    if (!keep) close();
    return response;
}

TlsClient::TlsClient(TlsClientOptions options, base::Context& context)
    : impl_(new Impl{std::move(options), context, {}, {}, {}, {}, {}, {}, false})
{
    if (impl_->options.user_agent.empty()) impl_->options.user_agent = "acme-integrations/" ACMETOOL_VERSION;
}

TlsClient::~TlsClient()
{
    impl_->close();
}

void TlsClient::close()
{
    impl_->close();
}

Result<Connection> TlsClient::connect(std::string_view text)
{
    ACMETOOL_TRY(url, parse_url(text));
    if (impl_->origin != url.origin() || !impl_->is_alive())
        if (auto opened = impl_->open(url); !opened)
            return fail(with_context(std::move(opened).error(), url.origin()));
    return impl_->connection;
}

Result<Response> TlsClient::send(const Request& request)
{
    ACMETOOL_TRY(url, parse_url(request.url));
    if (impl_->origin != url.origin())
        return fail(Errc::unavailable, fmt::format("{}: not connected", url.origin()), {}, Cause::reset);
    ++impl_->connection.requests;
    auto response = impl_->exchange(request, url);
    if (response) return response;
    impl_->close();
    return fail(with_context(std::move(response).error(), url.text()));
}

} // namespace acmetool::http
