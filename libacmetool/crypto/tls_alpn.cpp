#include "crypto/tls_alpn.h"

#include <arpa/inet.h>

#include <array>
#include <limits>
#include <map>
#include <mutex>

#include <fmt/core.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/text.h"
#include "crypto/general_names.h"
#include "crypto/key_type.h"
#include "crypto/openssl.h"
#include "crypto/path.h"

namespace acmetool::crypto
{
namespace
{

using SslCtxPtr = Owned<SSL_CTX, SSL_CTX_free>;
using SslPtr = Owned<SSL, SSL_free>;

constexpr std::string_view kProtocol = "\x0a"
                                       "acme-tls/1";
constexpr const char* kAcmeIdentifier = "1.3.6.1.5.5.7.1.31"; // RFC 8737 section 6.1
constexpr long kLifetime = 7L * 24 * 3600;
constexpr long kBackdated = 24L * 3600; // the validator's clock may be behind ours

bool is_address(const std::string& name)
{
    std::array<std::uint8_t, 16> octets{};
    return inet_pton(AF_INET, name.c_str(), octets.data()) == 1 ||
           inet_pton(AF_INET6, name.c_str(), octets.data()) == 1;
}

bool add_acme_identifier(X509* certificate, ByteView digest)
{
    // RFC 8737 section 3: "The acmeIdentifier extension MUST contain the DER encoding [X690] of the
    // Authorization value": an OCTET STRING within the extension's own.
    Bytes value{0x04, static_cast<std::uint8_t>(digest.size())};
    value.insert(value.end(), digest.begin(), digest.end());
    const Owned<ASN1_OBJECT, ASN1_OBJECT_free> oid{OBJ_txt2obj(kAcmeIdentifier, 1)};
    const Owned<ASN1_OCTET_STRING, ASN1_OCTET_STRING_free> octets{ASN1_OCTET_STRING_new()};
    if (!oid || !octets ||
        ASN1_OCTET_STRING_set(octets.get(), value.data(), static_cast<int>(value.size())) != 1)
        return false;
    const ExtensionPtr extension{X509_EXTENSION_create_by_OBJ(nullptr, oid.get(), 1, octets.get())};
    return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

int proofs_index()
{
    static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
    return index;
}

/// Otherwise a client that offers no protocol would receive the proof.
int demand_alpn(SSL* ssl, int* alert, void*)
{
    const unsigned char* data = nullptr;
    std::size_t size = 0;
    if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_application_layer_protocol_negotiation, &data, &size) == 1)
        return SSL_CLIENT_HELLO_SUCCESS;
    *alert = SSL_AD_NO_APPLICATION_PROTOCOL;
    return SSL_CLIENT_HELLO_ERROR;
}

int choose_protocol(SSL*, const unsigned char** out, unsigned char* size, const unsigned char* offered,
                    unsigned offered_size, void*)
{
    for (unsigned i = 0; i < offered_size; i += offered[i] + 1U) {
        const std::string_view entry{reinterpret_cast<const char*>(offered) + i, offered[i] + std::size_t{1}};
        if (i + entry.size() > offered_size || entry != kProtocol) continue;
        *out = offered + i + 1;
        *size = offered[i];
        return SSL_TLSEXT_ERR_OK;
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

} // namespace

std::string alpn_server_name(const std::string& name)
{
    std::array<std::uint8_t, 16> octets{};
    if (inet_pton(AF_INET, name.c_str(), octets.data()) == 1)
        return fmt::format("{}.{}.{}.{}.in-addr.arpa", octets[3], octets[2], octets[1], octets[0]);
    if (inet_pton(AF_INET6, name.c_str(), octets.data()) != 1) return name;
    std::string reversed;
    for (auto octet = octets.rbegin(); octet != octets.rend(); ++octet)
        reversed += fmt::format("{:x}.{:x}.", *octet & 0xfU, *octet >> 4U);
    return reversed + "ip6.arpa";
}

Result<AlpnProof> make_alpn_proof(const std::string& name, ByteView digest)
{
    ACMETOOL_TRY(key, generate_key(kDefaultKeyType));
    X509Ptr x509{X509_new()};
    const BignumPtr serial{BN_new()};
    constexpr std::string_view kSubject = "ACME challenge";
    X509_NAME* subject = x509 ? X509_get_subject_name(x509.get()) : nullptr;
    const auto names = make_general_names({{is_address(name) ? "ip" : "dns", name}});
    if (!names)
        return fail(Errc::bad_input,
                    fmt::format("{}: a certificate cannot contain this name", base::printable(name)));
    const bool made =
        x509 && serial && X509_set_version(x509.get(), 2) == 1 &&
        BN_rand(serial.get(), 64, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
        BN_to_ASN1_INTEGER(serial.get(), X509_get_serialNumber(x509.get())) != nullptr &&
        X509_gmtime_adj(X509_getm_notBefore(x509.get()), -kBackdated) != nullptr &&
        X509_gmtime_adj(X509_getm_notAfter(x509.get()), kLifetime) != nullptr &&
        X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_ASC,
                                   reinterpret_cast<const unsigned char*>(kSubject.data()),
                                   static_cast<int>(kSubject.size()), -1, 0) == 1 &&
        X509_set_issuer_name(x509.get(), subject) == 1 && X509_set_pubkey(x509.get(), key.get()) == 1 &&
        X509_add1_ext_i2d(x509.get(), NID_subject_alt_name, names.get(), 0, X509V3_ADD_DEFAULT) == 1 &&
        add_acme_identifier(x509.get(), digest) && X509_sign(x509.get(), key.get(), EVP_sha256()) > 0;
    if (!made) return openssl_failure(Errc::internal, "creating the certificate of a tls-alpn-01 challenge");
    return AlpnProof{Certificate::adopt(x509.release()), key};
}

struct AlpnProofs::Impl {
    mutable std::mutex mutex;
    std::map<std::string, AlpnProof> by_server_name;
    SslCtxPtr context;

    /// Selects the certificate for the requested name.
    static int choose_certificate(SSL* ssl, int* alert, void*)
    {
        const auto* self =
            static_cast<const Impl*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), proofs_index()));
        const char* asked = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
        const std::lock_guard lock{self->mutex};
        const auto found = self->by_server_name.find(base::to_lower(asked == nullptr ? "" : asked));
        if (found == self->by_server_name.end()) {
            *alert = SSL_AD_UNRECOGNIZED_NAME;
            return SSL_TLSEXT_ERR_ALERT_FATAL;
        }
        const auto& proof = found->second;
        return SSL_use_certificate(ssl, proof.certificate.get()) == 1 &&
                       SSL_use_PrivateKey(ssl, proof.key.get()) == 1
                   ? SSL_TLSEXT_ERR_OK
                   : SSL_TLSEXT_ERR_ALERT_FATAL;
    }
};

AlpnProofs::AlpnProofs() : impl_(std::make_shared<Impl>())
{
    impl_->context.reset(SSL_CTX_new(TLS_server_method()));
    auto* const context = impl_->context.get();
    SSL_CTX_set_security_level(context, kSecurityLevel);
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_options(context, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_num_tickets(context, 0);
    SSL_CTX_set_ex_data(context, proofs_index(), impl_.get());
    SSL_CTX_set_client_hello_cb(context, demand_alpn, nullptr);
    SSL_CTX_set_tlsext_servername_callback(context, Impl::choose_certificate);
    SSL_CTX_set_alpn_select_cb(context, choose_protocol, nullptr);
}

AlpnProofs::~AlpnProofs() = default;

void AlpnProofs::put(const std::string& name, AlpnProof proof)
{
    const std::lock_guard lock{impl_->mutex};
    impl_->by_server_name.insert_or_assign(base::to_lower(alpn_server_name(name)), std::move(proof));
}

void AlpnProofs::remove(const std::string& name)
{
    const std::lock_guard lock{impl_->mutex};
    impl_->by_server_name.erase(base::to_lower(alpn_server_name(name)));
}

bool AlpnProofs::empty() const
{
    const std::lock_guard lock{impl_->mutex};
    return impl_->by_server_name.empty();
}

struct AlpnHandshake::Impl {
    std::shared_ptr<AlpnProofs::Impl> proofs; ///< outlives the connection
    SslPtr ssl;
};

AlpnHandshake::AlpnHandshake(const AlpnProofs& proofs) : impl_(std::make_unique<Impl>())
{
    impl_->proofs = proofs.impl_;
    impl_->ssl.reset(SSL_new(proofs.impl_->context.get()));
    if (impl_->ssl) SSL_set_bio(impl_->ssl.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    if (impl_->ssl) SSL_set_accept_state(impl_->ssl.get());
}

AlpnHandshake::~AlpnHandshake() = default;

bool AlpnHandshake::feed(ByteView records, Bytes& reply)
{
    auto* const ssl = impl_->ssl.get();
    if (ssl == nullptr || records.size() > std::numeric_limits<int>::max()) return false;
    BIO_write(SSL_get_rbio(ssl), records.data(), static_cast<int>(records.size()));
    ERR_clear_error();
    bool usable = true;
    if (SSL_is_init_finished(ssl) != 1) {
        const int done = SSL_do_handshake(ssl);
        usable = done == 1 || SSL_get_error(ssl, done) == SSL_ERROR_WANT_READ;
    } else {
        // The client's data is ignored; only its closing matters.
        std::array<char, 4096> data{};
        int got = 0;
        while ((got = SSL_read(ssl, data.data(), static_cast<int>(data.size()))) > 0) {
        }
        usable = SSL_get_error(ssl, got) == SSL_ERROR_WANT_READ;
        if (SSL_get_error(ssl, got) == SSL_ERROR_ZERO_RETURN) SSL_shutdown(ssl);
    }
    ERR_clear_error();
    std::array<std::uint8_t, 4096> out{};
    int size = 0;
    while ((size = BIO_read(SSL_get_wbio(ssl), out.data(), static_cast<int>(out.size()))) > 0)
        reply.insert(reply.end(), out.begin(), out.begin() + size);
    return usable;
}

} // namespace acmetool::crypto
