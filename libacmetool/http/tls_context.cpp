#include "http/tls_context.h"

#include "crypto/certificate_context.h"
#include "crypto/channel_binding.h"
#include "crypto/key_size.h"
#include "crypto/path.h"
#include "store/configured.h"

namespace acmetool::http
{
namespace
{

/// The handshake proves possession of the key; the application checks the certificate.
int take_any_certificate(X509_STORE_CTX* store, void*)
{
    if (crypto::check_peer_key(store)) return 1;
    X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED);
    return 0;
}

/// Certificate and key, read with the limits of all configured files.
Result<void> use_identity(SSL_CTX* context, const ServerOptions& options)
{
    auto chain = store::read_configured_certificates(options.certificate_file);
    if (!chain) {
        chain.error().hint = "the TLS certificate must be PEM, with the end entity first";
        chain.error().reason = Cause::tls_certificate;
        return fail(std::move(chain).error());
    }
    auto key = store::read_configured_key(options.key_file);
    if (!key) {
        key.error().hint = "the key must be PEM, without a passphrase, and belong to the TLS certificate";
        key.error().reason = Cause::tls_key;
        return fail(std::move(key).error());
    }
    chain->insert(chain->end(), options.issuers.begin(), options.issuers.end());
    bool used = SSL_CTX_use_certificate(context, chain->front().get()) == 1;
    for (auto issuer = chain->begin() + 1; used && issuer != chain->end(); ++issuer)
        used = SSL_CTX_add1_chain_cert(context, issuer->get()) == 1;
    if (!used) {
        auto failure = crypto::openssl_failure(Errc::config, options.certificate_file,
                                               "the TLS certificate must be PEM, with the end entity first");
        failure.value().reason = Cause::tls_certificate;
        return failure;
    }
    if (SSL_CTX_use_PrivateKey(context, key->get()) != 1 || SSL_CTX_check_private_key(context) != 1) {
        auto failure = crypto::openssl_failure(Errc::config, options.key_file,
                                               "the key must belong to the TLS certificate");
        failure.value().reason = Cause::tls_key;
        return failure;
    }
    return {};
}

int number_of(TlsVersion version)
{
    return version == TlsVersion::tls_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION;
}

} // namespace

Result<SslCtxPtr> make_server_context(const ServerOptions& options)
{
    SslCtxPtr context{SSL_CTX_new_ex(crypto::certificate_context(), nullptr, TLS_server_method())};
    if (!context) return crypto::openssl_failure(Errc::internal, "TLS context");
    SSL_CTX_set_security_level(context.get(), crypto::kSecurityLevel);
    SSL_CTX_set_min_proto_version(context.get(), number_of(options.min_tls));
    SSL_CTX_set_max_proto_version(context.get(), number_of(options.max_tls));
    SSL_CTX_set_options(context.get(),
                        SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS);
    ACMETOOL_CHECK(use_identity(context.get(), options));
    if (options.ask_client_certificate) {
        SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
        SSL_CTX_set_cert_verify_callback(context.get(), take_any_certificate, nullptr);
        SSL_CTX_set_options(context.get(), SSL_OP_NO_TICKET);
        SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
        SSL_CTX_set_num_tickets(context.get(), 0);
    }
    return context;
}

std::shared_ptr<const TlsFacts> facts_of(SSL* ssl)
{
    auto facts = std::make_shared<TlsFacts>();
    facts->version = SSL_get_version(ssl);
    if (auto binding = crypto::channel_binding(ssl, crypto::Side::server))
        facts->channel_binding = std::move(*binding);
    if (X509* own = SSL_get1_peer_certificate(ssl); own != nullptr)
        facts->certificates.push_back(crypto::Certificate::adopt(own));
    // On the server's side, the chain lacks the end entity.
    const auto* chain = SSL_get_peer_cert_chain(ssl);
    for (int i = 0; chain != nullptr && i < sk_X509_num(chain); ++i) {
        X509* one = sk_X509_value(chain, i);
        X509_up_ref(one);
        facts->certificates.push_back(crypto::Certificate::adopt(one));
    }
    return facts;
}

} // namespace acmetool::http
