#include <doctest/doctest.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <mutex>
#include <vector>

#include <nlohmann/json.hpp>
#include <openssl/ssl.h>

#include "../comes_true.h"
#include "../crypto/certificates.h"
#include "../ra/fixture.h"
#include "base/once_per_minute.h"
#include "crypto/openssl.h"
#include "http/server.h"
#include "relay/handshake_log.h"

using namespace acmetool;
using namespace std::chrono_literals;
using http::HandshakeCause;

namespace
{

using ClientContext = crypto::Owned<SSL_CTX, SSL_CTX_free>;
using ClientSsl = crypto::Owned<SSL, SSL_free>;

/// A server with TLS, and what it told of handshakes.
struct Handshaker {
    test::Folder folder;
    std::mutex mutex;
    std::vector<http::HandshakeFailure> told;
    std::unique_ptr<http::Server> server;

    Handshaker()
    {
        const auto identity = test::make_identity("server");
        http::ServerOptions options;
        options.certificate_file = folder.write("server.pem", identity.certificate.to_pem());
        options.key_file = folder.write("server.key", std::string{identity.key.to_pem()->reveal()});
        options.ask_client_certificate = true;
        options.handshake_timeout = 1s;
        options.handshake_failed = [this](const http::HandshakeFailure& failure) {
            const std::lock_guard lock{mutex};
            told.push_back(failure);
        };
        auto started = http::Server::start(options, [](const http::ServerRequest&) {
            return http::ServerResponse{200, {}, "", false};
        });
        REQUIRE(started);
        server = std::move(*started);
    }

    int connected() const
    {
        const int fd = socket(AF_INET, SOCK_STREAM, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(server->port());
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        REQUIRE(connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
        return fd;
    }
    /// Sends this, and closes at once or once the server does.
    void send(std::string_view octets, bool waits = false) const
    {
        const int fd = connected();
        static_cast<void>(::send(fd, octets.data(), octets.size(), MSG_NOSIGNAL));
        for (char octet = 0; waits && recv(fd, &octet, 1, 0) == 1;) {
        }
        close(fd);
    }
    void shake_hands(const std::function<void(SSL_CTX*)>& prepare) const
    {
        const ClientContext context{SSL_CTX_new(TLS_client_method())};
        prepare(context.get());
        const ClientSsl ssl{SSL_new(context.get())};
        const int fd = connected();
        SSL_set_fd(ssl.get(), fd);
        char octet = 0;
        if (SSL_connect(ssl.get()) == 1) SSL_read(ssl.get(), &octet, 1);
        close(fd);
    }
    http::HandshakeFailure next()
    {
        http::HandshakeFailure first;
        REQUIRE(test::comes_true([&] {
            const std::lock_guard lock{mutex};
            if (told.empty()) return false;
            first = told.front();
            told.erase(told.begin());
            return true;
        }));
        return first;
    }
};

class HandshakeEvents final : public enrol::EventSink
{
public:
    std::vector<base::Json> all;
    void event(const base::Json& event) override { all.push_back(event); }
};

} // namespace

TEST_CASE("OPR-47: a TLS handshake that failed is told with the client's address and the true cause")
{
    Handshaker handshaker;
    const auto cause = [&] {
        const auto failure = handshaker.next();
        CHECK(failure.address == "127.0.0.1");
        INFO(failure.words);
        return failure.cause;
    };
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        CAPTURE(version);
        handshaker.shake_hands([version](SSL_CTX* context) {
            SSL_CTX_set_max_proto_version(context, version);
            SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
        });
        CHECK(cause() == HandshakeCause::untrusted);
    }
    handshaker.shake_hands([](SSL_CTX* context) {
        SSL_CTX_set_security_level(context, 0);
        SSL_CTX_set_min_proto_version(context, TLS1_VERSION);
        SSL_CTX_set_max_proto_version(context, TLS1_1_VERSION);
    });
    CHECK(cause() == HandshakeCause::version);
    handshaker.shake_hands([](SSL_CTX* context) {
        SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION);
        SSL_CTX_set_cipher_list(context, "ECDHE-RSA-AES128-GCM-SHA256"); // the server's key is of EC
    });
    CHECK(cause() == HandshakeCause::algorithms);
    const auto large = crypto::Key::adopt(EVP_RSA_gen(4608));
    const auto certificate = test::make_certificate(large, "device", "1", large, "device", false);
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        CAPTURE(version);
        handshaker.shake_hands([&](SSL_CTX* context) {
            SSL_CTX_set_max_proto_version(context, version);
            SSL_CTX_use_certificate(context, certificate.get());
            SSL_CTX_use_PrivateKey(context, large.get());
        });
        CHECK(cause() == HandshakeCause::client_certificate);
    }
    handshaker.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n", true);
    CHECK(cause() == HandshakeCause::not_tls);
    handshaker.send("SSH-2.0-OpenSSH_9.2\r\n", true);
    CHECK(cause() == HandshakeCause::not_tls);
    handshaker.send("\x16\x03\x01"); // and gone
    CHECK(cause() == HandshakeCause::closed);
    handshaker.send("\x16\x03\x01", true); // and silence
    CHECK(cause() == HandshakeCause::timeout);
}

TEST_CASE("OPR-47: a client that goes away before it has sent anything is counted, and not told")
{
    Handshaker handshaker;
    handshaker.send("");
    CHECK(test::comes_true([&] { return handshaker.server->counts().handshake_failures == 1; }));
    handshaker.send("", true); // until the server closes
    CHECK(test::comes_true([&] { return handshaker.server->counts().handshake_failures == 2; }));
    handshaker.send("x");
    CHECK(handshaker.next().cause == HandshakeCause::closed);
    CHECK(handshaker.told.empty());
}

TEST_CASE("OPR-47: failed handshakes are a line a minute for a cause and an address, and bounded in number")
{
    HandshakeEvents events;
    relay::HandshakeLog log{events};
    for (int i = 0; i < 100; ++i)
        log.take({"192.0.2.7", HandshakeCause::untrusted, "tlsv1 alert unknown ca"});
    log.take({"192.0.2.7", HandshakeCause::version, {}});
    log.take({"192.0.2.8", HandshakeCause::untrusted, {}});
    REQUIRE(events.all.size() == 3);
    CHECK(events.all[0] ==
          base::Json{{"event", "handshake"},
                     {"level", "warning"},
                     {"address", "192.0.2.7"},
                     {"cause", "untrusted"},
                     {"times", 1},
                     {"text", "the client does not trust the certificate in [tls]: tlsv1 alert unknown ca"}});
    for (int i = 0; i < 3'000; ++i)
        log.take({"2001:db8::" + std::to_string(i), HandshakeCause::closed, {}});
    CHECK(events.all.size() == 1'000);

    base::OncePerMinute<std::string> limit;
    const auto begin = base::OncePerMinute<std::string>::Clock::now();
    CHECK(limit.take("a", begin) == 1U);
    CHECK_FALSE(limit.take("a", begin + 59s).has_value());
    CHECK(limit.take("a", begin + 60s) == 2U);
    for (int i = 0; i < 2'000; ++i)
        limit.take(std::to_string(i), begin + 60s);
    CHECK_FALSE(limit.take("b", begin + 119s).has_value());
    CHECK(limit.take("b", begin + 121s) == 1U);
}
