#include <algorithm>
#include <chrono>

#include <fmt/core.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "ca/validation.h"
#include "crypto/cert.h"
#include "crypto/openssl.h"
#include "crypto/path.h"
#include "crypto/tls_alpn.h"
#include "dns/name.h"
#include "net/endpoint.h"
#include "net/socket.h"

namespace acmetool::ca
{
namespace
{

using SslCtxPtr = crypto::Owned<SSL_CTX, SSL_CTX_free>;
using SslPtr = crypto::Owned<SSL, SSL_free>;

constexpr std::chrono::seconds kLimit{10};
constexpr unsigned char kProtocol[] = "\x0a"
                                      "acme-tls/1";

} // namespace

std::optional<std::string> check_acme_identifier(ByteView certificate_der, const std::string& name,
                                                 const Bytes& digest)
{
    const unsigned char* data = certificate_der.data();
    X509* x509 = d2i_X509(nullptr, &data, static_cast<long>(certificate_der.size()));
    if (x509 == nullptr) {
        ERR_clear_error();
        return "the certificate cannot be read";
    }
    const auto certificate = crypto::Certificate::adopt(x509);
    if (X509_NAME_cmp(X509_get_subject_name(x509), X509_get_issuer_name(x509)) != 0)
        return "the certificate is not self-signed";
    // RFC 8737 section 3: "a subjectAltName extension containing the domain name being validated and no other
    // entries".
    const crypto::Identifier wanted{dns::is_ip_literal(name) ? "ip" : "dns", name};
    const crypto::GeneralNamesPtr names{
        static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(x509, NID_subject_alt_name, nullptr, nullptr))};
    if (!names || sk_GENERAL_NAME_num(names.get()) != 1 || certificate.identifiers() != std::vector{wanted})
        return "the certificate does not name just this identifier";
    const crypto::Owned<ASN1_OBJECT, ASN1_OBJECT_free> oid{OBJ_txt2obj("1.3.6.1.5.5.7.1.31", 1)};
    const int place = X509_get_ext_by_OBJ(x509, oid.get(), -1);
    if (place < 0 || X509_get_ext_by_OBJ(x509, oid.get(), place) >= 0)
        return "the certificate has no acmeIdentifier, or several";
    const X509_EXTENSION* extension = X509_get_ext(x509, place);
    if (X509_EXTENSION_get_critical(extension) != 1) return "the acmeIdentifier is not critical";
    const ASN1_OCTET_STRING* value = X509_EXTENSION_get_data(const_cast<X509_EXTENSION*>(extension));
    Bytes expected{0x04, static_cast<std::uint8_t>(digest.size())};
    expected.insert(expected.end(), digest.begin(), digest.end());
    const auto* octets = ASN1_STRING_get0_data(value);
    if (Bytes(octets, octets + ASN1_STRING_length(value)) != expected)
        return "the acmeIdentifier is not the one of the key authorization";
    return std::nullopt;
}

std::optional<ValidationFailure> validate_tls_alpn01(const ValidationOptions& options,
                                                     const std::string& name, const Bytes& digest,
                                                     base::Context& context)
{
    std::string address;
    if (auto failure = find_address(options, name, address, context)) return failure;
    const auto where = net::Endpoint{address, options.tls_port}.text();
    const auto deadline = std::chrono::steady_clock::now() + kLimit;
    const auto socket = net::Socket::connect(address, options.tls_port, deadline, context);
    if (!socket) return ValidationFailure{"connection", socket.error().message};
    // Nobody's certificate is believed here: what it holds is the proof.
    const SslCtxPtr settings{SSL_CTX_new(TLS_client_method())};
    SSL_CTX_set_security_level(settings.get(), crypto::kSecurityLevel);
    SSL_CTX_set_min_proto_version(settings.get(), TLS1_2_VERSION);
    const SslPtr ssl{SSL_new(settings.get())};
    SSL_set_alpn_protos(ssl.get(), kProtocol, sizeof kProtocol - 1);
    SSL_set_tlsext_host_name(ssl.get(), crypto::alpn_server_name(name).c_str());
    SSL_set_fd(ssl.get(), socket->fd());
    for (;;) {
        ERR_clear_error();
        const int done = SSL_connect(ssl.get());
        if (done == 1) break;
        const int problem = SSL_get_error(ssl.get(), done);
        if (problem != SSL_ERROR_WANT_READ && problem != SSL_ERROR_WANT_WRITE) {
            const auto failure = crypto::openssl_failure(Errc::unavailable, where + ": TLS handshake");
            return ValidationFailure{"tls", failure.value().message};
        }
        if (const auto ready = socket->wait(problem == SSL_ERROR_WANT_WRITE, deadline, context); !ready)
            return ValidationFailure{"connection", fmt::format("{}: {}", where, ready.error().message)};
    }
    const unsigned char* protocol = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(ssl.get(), &protocol, &size);
    if (std::string_view{reinterpret_cast<const char*>(protocol), size} != "acme-tls/1")
        return ValidationFailure{"unauthorized", where + ": the server did not choose acme-tls/1"};
    const crypto::X509Ptr peer{SSL_get1_peer_certificate(ssl.get())};
    if (!peer) return ValidationFailure{"tls", where + ": no certificate"};
    unsigned char* der = nullptr;
    const int length = i2d_X509(peer.get(), &der);
    const crypto::OpensslMemory owned{der};
    if (const auto wrong =
            check_acme_identifier({der, static_cast<std::size_t>(std::max(length, 0))}, name, digest))
        return ValidationFailure{"incorrectResponse", fmt::format("{}: {}", where, *wrong)};
    return std::nullopt;
}

} // namespace acmetool::ca
