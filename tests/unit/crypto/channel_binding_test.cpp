#include <doctest/doctest.h>

#include <openssl/ssl.h>

#include "base/base64url.h"
#include "certificates.h"
#include "crypto/channel_binding.h"
#include "crypto/openssl.h"

using namespace acmetool;
using crypto::Side;

namespace
{

using CtxPtr = crypto::Owned<SSL_CTX, SSL_CTX_free>;
using SslPtr = crypto::Owned<SSL, SSL_free>;
using SessionPtr = crypto::Owned<SSL_SESSION, SSL_SESSION_free>;

struct Connection {
    SslPtr client;
    SslPtr server;
};

/// Both ends in this process, over memory.
Connection connect(SSL_CTX* client_ctx, SSL_CTX* server_ctx, SSL_SESSION* resume = nullptr)
{
    Connection c{SslPtr{SSL_new(client_ctx)}, SslPtr{SSL_new(server_ctx)}};
    BIO* near_end = nullptr;
    BIO* far_end = nullptr;
    REQUIRE(BIO_new_bio_pair(&near_end, 65536, &far_end, 65536) == 1);
    SSL_set_bio(c.client.get(), near_end, near_end);
    SSL_set_bio(c.server.get(), far_end, far_end);
    if (resume != nullptr) SSL_set_session(c.client.get(), resume);
    SSL_set_connect_state(c.client.get());
    SSL_set_accept_state(c.server.get());
    for (int turn = 0; turn < 20; ++turn) {
        SSL_do_handshake(c.client.get());
        SSL_do_handshake(c.server.get());
    }
    REQUIRE(SSL_is_init_finished(c.client.get()) == 1);
    REQUIRE(SSL_is_init_finished(c.server.get()) == 1);
    char octet = 0;
    SSL_read(c.client.get(), &octet, 1); // takes TLS 1.3's session tickets
    return c;
}

struct Contexts {
    CtxPtr client{SSL_CTX_new(TLS_client_method())};
    CtxPtr server{SSL_CTX_new(TLS_server_method())};

    explicit Contexts(int version)
    {
        const auto identity = test::make_identity("server");
        for (SSL_CTX* ctx : {client.get(), server.get()}) {
            SSL_CTX_set_min_proto_version(ctx, version);
            SSL_CTX_set_max_proto_version(ctx, version);
        }
        SSL_CTX_use_certificate(server.get(), identity.certificate.get());
        SSL_CTX_use_PrivateKey(server.get(), identity.key.get());
    }
};

void check_equal_ends(const Connection& c, const char* type, std::size_t size)
{
    const auto near_end = crypto::channel_binding(c.client.get(), Side::client);
    const auto far_end = crypto::channel_binding(c.server.get(), Side::server);
    REQUIRE(near_end);
    REQUIRE(far_end);
    CHECK(near_end->type == type);
    CHECK(near_end->value.size() == size);
    CHECK(near_end->value == far_end->value);
    CHECK(near_end->to_base64() == base::to_base64(near_end->value));
}

} // namespace

TEST_CASE("CSR-08a, ESTC-16a: tls-unique under TLS 1.2, equal at both ends, the client's Finished")
{
    const Contexts tls{TLS1_2_VERSION};
    const auto first = connect(tls.client.get(), tls.server.get());
    check_equal_ends(first, "tls-unique", 12);
    Bytes finished(12);
    REQUIRE(SSL_get_finished(first.client.get(), finished.data(), 12) == 12);
    CHECK(crypto::channel_binding(first.client.get(), Side::client)->value == finished);
    const auto second = connect(tls.client.get(), tls.server.get());
    CHECK(crypto::channel_binding(second.client.get(), Side::client)->value != finished);
}

TEST_CASE("ESTC-16a, ESTS-20c: on resumption the server's Finished comes first")
{
    const Contexts tls{TLS1_2_VERSION};
    const auto first = connect(tls.client.get(), tls.server.get());
    const SessionPtr session{SSL_get1_session(first.client.get())};
    const auto resumed = connect(tls.client.get(), tls.server.get(), session.get());
    REQUIRE(SSL_session_reused(resumed.client.get()) == 1);
    check_equal_ends(resumed, "tls-unique", 12);
    Bytes finished(12);
    REQUIRE(SSL_get_finished(resumed.server.get(), finished.data(), 12) == 12);
    CHECK(crypto::channel_binding(resumed.client.get(), Side::client)->value == finished);
}

TEST_CASE("ESTC-16a: a resumed session without extended master secret has no binding")
{
    const Contexts tls{TLS1_2_VERSION};
    SSL_CTX_set_options(tls.client.get(), SSL_OP_NO_EXTENDED_MASTER_SECRET);
    const auto first = connect(tls.client.get(), tls.server.get());
    check_equal_ends(first, "tls-unique", 12);
    const SessionPtr session{SSL_get1_session(first.client.get())};
    const auto resumed = connect(tls.client.get(), tls.server.get(), session.get());
    REQUIRE(SSL_session_reused(resumed.client.get()) == 1);
    for (const auto& found : {crypto::channel_binding(resumed.client.get(), Side::client),
                              crypto::channel_binding(resumed.server.get(), Side::server)}) {
        REQUIRE_FALSE(found);
        CHECK(found.error().reason.word() == "noChannelBinding");
    }
}

TEST_CASE("CSR-08a, ESTC-16b: tls-exporter under TLS 1.3, equal at both ends, new on resumption")
{
    const Contexts tls{TLS1_3_VERSION};
    const auto first = connect(tls.client.get(), tls.server.get());
    check_equal_ends(first, "tls-exporter", 32);
    Bytes exported(32);
    // RFC 8446 section 7.5: an absent context is the same as an empty one.
    REQUIRE(SSL_export_keying_material(first.server.get(), exported.data(), 32, "EXPORTER-Channel-Binding",
                                       24, nullptr, 0, 0) == 1);
    CHECK(crypto::channel_binding(first.client.get(), Side::client)->value == exported);
    const SessionPtr session{SSL_get1_session(first.client.get())};
    const auto resumed = connect(tls.client.get(), tls.server.get(), session.get());
    CHECK(SSL_session_reused(resumed.client.get()) == 1);
    check_equal_ends(resumed, "tls-exporter", 32);
    CHECK(crypto::channel_binding(resumed.client.get(), Side::client)->value != exported);
}

TEST_CASE("ESTC-16b: no binding before the handshake is done")
{
    const Contexts tls{TLS1_3_VERSION};
    const SslPtr ssl{SSL_new(tls.client.get())};
    CHECK_FALSE(crypto::channel_binding(ssl.get(), Side::client));
    CHECK_FALSE(crypto::channel_binding(nullptr, Side::client));
}
