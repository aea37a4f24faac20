#include "crypto/tls_engine.h"

#include <array>

#include <fmt/core.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "crypto/certificate_context.h"
#include "crypto/key_size.h"
#include "crypto/openssl.h"
#include "crypto/path.h"

namespace acmetool::crypto
{
namespace
{

using SslPtr = Owned<SSL, SSL_free>;

/// Index of a context's settings and a connection's verifier.
int settings_index()
{
    static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
    return index;
}

struct Verification {
    TlsEngine::Verifier verifier;
    std::optional<Error> error;
};

int verification_index()
{
    static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
    return index;
}

std::vector<Certificate> certificates_of(const STACK_OF(X509) * stack)
{
    std::vector<Certificate> certificates;
    for (int i = 0; stack != nullptr && i < sk_X509_num(stack); ++i) {
        X509* one = sk_X509_value(stack, i);
        X509_up_ref(one);
        certificates.push_back(Certificate::adopt(one));
    }
    return certificates;
}

int verify_peer(X509_STORE_CTX* store, void*)
{
    const auto* const ssl =
        static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
    auto* const verification = static_cast<Verification*>(SSL_get_ex_data(ssl, verification_index()));
    const auto judge = [&]() -> Result<void> {
        ACMETOOL_CHECK(check_peer_key(store));
        if (verification == nullptr || !verification->verifier) return {};
        return verification->verifier(certificates_of(X509_STORE_CTX_get0_untrusted(store)));
    };
    const auto judged = judge();
    if (judged) return 1;
    if (verification != nullptr) verification->error = judged.error();
    X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED);
    return 0;
}

void write_keylog(const SSL* ssl, const char* line)
{
    const auto* settings =
        static_cast<const TlsSettings*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), settings_index()));
    if (settings != nullptr && settings->keylog) settings->keylog(line);
}

int version_number(const std::string& text)
{
    return text == "1.3" ? TLS1_3_VERSION : TLS1_2_VERSION;
}

Result<void> use_certificate(SSL_CTX* context, const TlsSettings& settings)
{
    if (settings.chain.empty()) return {};
    if (SSL_CTX_use_certificate(context, settings.chain.front().get()) != 1)
        return openssl_failure(Errc::config, "TLS certificate");
    for (std::size_t i = 1; i < settings.chain.size(); ++i)
        if (SSL_CTX_add1_chain_cert(context, settings.chain[i].get()) != 1)
            return openssl_failure(Errc::config, "TLS certificate chain");
    if (!settings.key || SSL_CTX_use_PrivateKey(context, settings.key->get()) != 1 ||
        SSL_CTX_check_private_key(context) != 1) {
        auto failure = openssl_failure(Errc::config, "TLS key", "the key must belong to the certificate");
        failure.value().reason = Cause::tls_key;
        return failure;
    }
    return {};
}

} // namespace

Result<TlsContext> TlsContext::make(Side side, const TlsSettings& settings)
{
    TlsContext made;
    made.side_ = side;
    made.settings_ = std::make_shared<TlsSettings>(settings);
    made.context_ = {SSL_CTX_new_ex(settings.key ? certificate_context(*settings.key) : certificate_context(),
                                    nullptr,
                                    side == Side::server ? TLS_server_method() : TLS_client_method()),
                     SSL_CTX_free};
    SSL_CTX* const context = made.context_.get();
    if (context == nullptr) return openssl_failure(Errc::internal, "TLS context");
    SSL_CTX_set_security_level(context, kSecurityLevel);
    SSL_CTX_set_min_proto_version(context, version_number(settings.min_version));
    SSL_CTX_set_max_proto_version(context, version_number(settings.max_version));
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET |
                                     SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(context, 0);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    if (SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM") != 1)
        return openssl_failure(Errc::internal, "TLS cipher suites");
    ACMETOOL_CHECK(use_certificate(context, settings));
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
    SSL_CTX_set_cert_verify_callback(context, verify_peer, nullptr);
    SSL_CTX_set_ex_data(context, settings_index(), made.settings_.get());
    if (settings.keylog) SSL_CTX_set_keylog_callback(context, write_keylog);
    return made;
}

struct TlsEngine::Impl {
    TlsContext context; ///< its settings live as long as the connection
    Verification verification;
    SslPtr ssl;
    Bytes data;
    bool failed = false;
    bool lean = false; ///< let_buffers_go() was called

    explicit Impl(TlsContext from) : context(std::move(from)) {}
    Result<void> advance();
    void let_buffers_go();
    tl::unexpected<Error> failure(std::string_view step);
};

tl::unexpected<Error> TlsEngine::Impl::failure(std::string_view step)
{
    failed = true;
    if (verification.error) {
        ERR_clear_error();
        return fail(*verification.error);
    }
    const auto code = ERR_peek_last_error();
    const bool alert = ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_REASON(code) >= SSL_AD_REASON_OFFSET;
    auto problem = openssl_failure(Errc::protocol, alert ? fmt::format("{}: the peer sent an alert", step)
                                                         : std::string{step});
    problem.value().reason = Cause::tls;
    return problem;
}

Result<void> TlsEngine::Impl::advance()
{
    if (SSL_is_init_finished(ssl.get()) != 1) {
        ERR_clear_error();
        const int done = SSL_do_handshake(ssl.get());
        if (done != 1) {
            const int why = SSL_get_error(ssl.get(), done);
            if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) return {};
            return failure("TLS handshake");
        }
    }
    std::array<std::uint8_t, 4096> buffer{};
    for (;;) {
        ERR_clear_error();
        std::size_t count = 0;
        const int done = SSL_read_ex(ssl.get(), buffer.data(), buffer.size(), &count);
        if (done == 1) {
            data.insert(data.end(), buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(count));
            continue;
        }
        const int why = SSL_get_error(ssl.get(), done);
        if (why == SSL_ERROR_WANT_READ) return {};
        if (why == SSL_ERROR_ZERO_RETURN) {
            failed = true;
            return fail(Errc::protocol, "the peer closed the TLS tunnel", {}, Cause::tls);
        }
        return failure("TLS record");
    }
}

/// The flights of the handshake have left buffers of their size, which the tunnel does not need again.
void TlsEngine::Impl::let_buffers_go()
{
    BIO* const in = BIO_new(BIO_s_mem());
    BIO* const out = BIO_new(BIO_s_mem());
    if (in == nullptr || out == nullptr) {
        BIO_free(in);
        BIO_free(out);
        return;
    }
    SSL_set_bio(ssl.get(), in, out);
    lean = true;
}

TlsEngine::TlsEngine(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TlsEngine::~TlsEngine() = default;
TlsEngine::TlsEngine(TlsEngine&&) noexcept = default;
TlsEngine& TlsEngine::operator=(TlsEngine&&) noexcept = default;

Result<TlsEngine> TlsEngine::start(const TlsContext& context, Verifier verifier)
{
    auto impl = std::make_unique<Impl>(context);
    impl->verification.verifier = std::move(verifier);
    impl->ssl.reset(SSL_new(context.get()));
    BIO* const in = BIO_new(BIO_s_mem());
    BIO* const out = BIO_new(BIO_s_mem());
    if (!impl->ssl || in == nullptr || out == nullptr) {
        BIO_free(in);
        BIO_free(out);
        return openssl_failure(Errc::internal, "TLS connection");
    }
    SSL_set_bio(impl->ssl.get(), in, out); // the connection owns both now
    SSL_set_ex_data(impl->ssl.get(), verification_index(), &impl->verification);
    if (context.side() == Side::server) {
        SSL_set_accept_state(impl->ssl.get());
    } else {
        SSL_set_connect_state(impl->ssl.get());
        ACMETOOL_CHECK(impl->advance());
    }
    return TlsEngine{std::move(impl)};
}

Result<void> TlsEngine::feed(ByteView records)
{
    if (impl_->failed) return fail(Errc::protocol, "the TLS tunnel has ended", {}, Cause::tls);
    if (!records.empty() && BIO_write(SSL_get_rbio(impl_->ssl.get()), records.data(),
                                      static_cast<int>(records.size())) != static_cast<int>(records.size()))
        return openssl_failure(Errc::internal, "TLS input");
    return impl_->advance();
}

Bytes TlsEngine::take_output()
{
    BIO* const out = SSL_get_wbio(impl_->ssl.get());
    Bytes records(BIO_ctrl_pending(out));
    if (!records.empty()) BIO_read(out, records.data(), static_cast<int>(records.size()));
    if (!impl_->lean && established() && BIO_ctrl_pending(SSL_get_rbio(impl_->ssl.get())) == 0)
        impl_->let_buffers_go();
    return records;
}

Bytes TlsEngine::take_data()
{
    return std::exchange(impl_->data, {});
}

Result<void> TlsEngine::send(ByteView data)
{
    std::size_t written = 0;
    ERR_clear_error();
    if (!established() || SSL_write_ex(impl_->ssl.get(), data.data(), data.size(), &written) != 1 ||
        written != data.size())
        return impl_->failure("TLS output");
    return {};
}

bool TlsEngine::established() const
{
    return !impl_->failed && SSL_is_init_finished(impl_->ssl.get()) == 1;
}

std::string TlsEngine::version() const
{
    return SSL_get_version(impl_->ssl.get());
}

std::string TlsEngine::cipher() const
{
    return SSL_get_cipher_name(impl_->ssl.get());
}

bool TlsEngine::hash_is_sha384() const
{
    const auto* cipher = SSL_get_current_cipher(impl_->ssl.get());
    const auto* digest = cipher != nullptr ? SSL_CIPHER_get_handshake_digest(cipher) : nullptr;
    return digest != nullptr && EVP_MD_is_a(digest, "SHA384") == 1;
}

std::vector<Certificate> TlsEngine::peer_certificates() const
{
    auto certificates = certificates_of(SSL_get_peer_cert_chain(impl_->ssl.get()));
    // On a server, the chain lacks the end entity.
    if (impl_->context.side() == Side::server)
        if (X509* own = SSL_get1_peer_certificate(impl_->ssl.get()); own != nullptr)
            certificates.insert(certificates.begin(), Certificate::adopt(own));
    return certificates;
}

Result<ChannelBinding> TlsEngine::channel_binding() const
{
    return crypto::channel_binding(impl_->ssl.get(), impl_->context.side());
}

Result<Bytes> TlsEngine::export_key(std::string_view label, std::optional<ByteView> context,
                                    std::size_t size) const
{
    Bytes key(size);
    const unsigned char none = 0;
    if (!established() ||
        SSL_export_keying_material(impl_->ssl.get(), key.data(), key.size(), label.data(), label.size(),
                                   context && !context->empty() ? context->data() : &none,
                                   context ? context->size() : 0, context ? 1 : 0) != 1)
        return openssl_failure(Errc::internal, "TLS exporter");
    return key;
}

} // namespace acmetool::crypto
