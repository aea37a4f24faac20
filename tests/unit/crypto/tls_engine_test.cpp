#include <doctest/doctest.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "bad_chains.h"
#include "crypto/tls_engine.h"

namespace acmetool::test
{
namespace
{

using crypto::Side;
using crypto::TlsContext;
using crypto::TlsEngine;
using crypto::TlsSettings;
using SslCtxPtr = crypto::Owned<SSL_CTX, SSL_CTX_free>;
using SslPtr = crypto::Owned<SSL, SSL_free>;

Chained end_entity(const char* key)
{
    ChainLink link;
    link.name = "tunnel";
    link.key = key;
    return make_link(link, nullptr, base::now());
}

/// A peer of TLS 1.2 that OpenSSL allows everything.
struct WeakPeer {
    SslCtxPtr context;
    SslPtr ssl;
    BIO* in = nullptr;
    BIO* out = nullptr;

    WeakPeer(Side side, const Chained& identity)
        : context(SSL_CTX_new(side == Side::server ? TLS_server_method() : TLS_client_method()))
    {
        SSL_CTX_set_security_level(context.get(), 0);
        SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
        SSL_CTX_set_max_proto_version(context.get(), TLS1_2_VERSION);
        REQUIRE(SSL_CTX_use_certificate(context.get(), identity.certificate.get()) == 1);
        REQUIRE(SSL_CTX_use_PrivateKey(context.get(), identity.key.get()) == 1);
    }
    void start(Side side)
    {
        ssl.reset(SSL_new(context.get()));
        in = BIO_new(BIO_s_mem());
        out = BIO_new(BIO_s_mem());
        SSL_set_bio(ssl.get(), in, out);
        if (side == Side::server)
            SSL_set_accept_state(ssl.get());
        else
            SSL_set_connect_state(ssl.get());
    }
};

/// Whether our side of the connection completes a handshake with the peer.
bool connects(WeakPeer& peer, const TlsContext& ours)
{
    peer.start(ours.side() == Side::server ? Side::client : Side::server);
    auto engine = *TlsEngine::start(ours, {});
    bool good = true;
    for (int turn = 0; turn < 6; ++turn) {
        const auto sent = engine.take_output();
        BIO_write(peer.in, sent.data(), static_cast<int>(sent.size()));
        SSL_do_handshake(peer.ssl.get());
        ERR_clear_error();
        Bytes answer(BIO_ctrl_pending(peer.out));
        if (answer.empty()) continue;
        BIO_read(peer.out, answer.data(), static_cast<int>(answer.size()));
        good = good && engine.feed(answer).has_value();
    }
    return good && engine.established();
}

TlsContext ours(Side side, const Chained& identity)
{
    TlsSettings settings;
    settings.chain = {identity.certificate};
    settings.key = identity.key;
    return *TlsContext::make(side, settings);
}

} // namespace

TEST_CASE("SEC-18: neither end of a TEAP tunnel signs with SHA-1, or lets the other do so")
{
    const auto identity = end_entity("ec:P-256");
    for (const auto side : {Side::server, Side::client}) {
        CAPTURE(static_cast<int>(side));
        const auto context = ours(side, identity);
        const auto connects_with = [&](const char* algorithms) {
            WeakPeer peer{side == Side::server ? Side::client : Side::server, identity};
            REQUIRE(SSL_CTX_set1_sigalgs_list(peer.context.get(), algorithms) == 1);
            return connects(peer, context);
        };
        CHECK(connects_with("ECDSA+SHA256:ECDSA+SHA1"));
        CHECK_FALSE(connects_with("ECDSA+SHA1"));
    }
}

TEST_CASE("SEC-18: a peer of TEAP refuses a tunnel with a Diffie-Hellman group of 1024 bits")
{
    const auto identity = end_entity("rsa:2048");
    const auto context = ours(Side::client, identity);
    const auto connects_with = [&](int choice) {
        WeakPeer peer{Side::server, identity};
        REQUIRE(SSL_CTX_set_cipher_list(peer.context.get(), "DHE-RSA-AES128-GCM-SHA256") == 1);
        SSL_CTX_set_dh_auto(peer.context.get(), choice);
        return connects(peer, context);
    };
    CHECK(connects_with(1));       // as strong as the RSA key
    CHECK_FALSE(connects_with(2)); // always 1024 bits
}

TEST_CASE("SEC-18: a tunnel of TEAP has no certificate of its own with an RSA key of 1024 bits")
{
    for (const auto side : {Side::server, Side::client}) {
        TlsSettings settings;
        for (const auto* type : {"rsa:2048", "rsa:1024"}) {
            const auto identity = end_entity(type);
            settings.chain = {identity.certificate};
            settings.key = identity.key;
            const auto made = TlsContext::make(side, settings);
            CHECK(made.has_value() == (std::string_view{type} == "rsa:2048"));
            if (!made) CHECK(made.error().code == Errc::config);
        }
    }
}

} // namespace acmetool::test
