#include "crypto/openssl_words.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <system_error>

#include <fmt/core.h>
#include <openssl/bioerr.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/sslerr.h>
#include <openssl/x509err.h>

namespace acmetool::crypto
{
namespace
{

struct Words {
    int key;
    std::string_view text;
};

template <std::size_t Size>
std::string_view find(const std::array<Words, Size>& all, int key)
{
    const auto found = std::find_if(all.begin(), all.end(), [&](const Words& one) { return one.key == key; });
    return found == all.end() ? std::string_view{} : found->text;
}

/// Alerts that the peer sent (RFC 8446 section 6).
constexpr std::array<Words, 21> kAlerts{{
    {10, "the peer did not expect our message"},
    {20, "the peer could not read our message"},
    {22, "the peer finds our message too long"},
    {40, "the peer accepts none of our TLS parameters"},
    {42, "the peer finds our certificate damaged"},
    {43, "the peer does not support the kind of our certificate"},
    {44, "the peer says that our certificate is revoked"},
    {45, "the peer says that our certificate has expired"},
    {46, "the peer does not accept our certificate"},
    {47, "the peer finds a field of our message wrong"},
    {48, "the peer does not know the CA of our certificate"},
    {49, "the peer denies access"},
    {50, "the peer could not decode our message"},
    {51, "the peer could not verify our signature"},
    {70, "the peer does not support our TLS version"},
    {71, "the peer finds our TLS parameters too weak"},
    {80, "the peer had an internal error"},
    {109, "the peer misses an extension"},
    {112, "the peer does not serve this name"},
    {116, "the peer requires a client certificate"},
    {120, "the peer supports none of our application protocols"},
}};

constexpr std::array<Words, 16> kTls{{
    {SSL_R_UNEXPECTED_EOF_WHILE_READING, "the peer closed the connection"},
    {SSL_R_WRONG_VERSION_NUMBER, "the peer does not speak TLS"},
    {SSL_R_HTTP_REQUEST, "the peer speaks HTTP without TLS"},
    {SSL_R_HTTPS_PROXY_REQUEST, "the peer speaks to an HTTP proxy"},
    {SSL_R_PACKET_LENGTH_TOO_LONG, "the peer does not speak TLS"},
    {SSL_R_RECORD_LENGTH_MISMATCH, "the peer does not speak TLS"},
    {SSL_R_UNSUPPORTED_PROTOCOL, "the peer and this program have no TLS version in common"},
    {SSL_R_VERSION_TOO_LOW, "the peer's TLS version is too old"},
    {SSL_R_NO_SHARED_CIPHER, "the peer and this program have no cipher in common"},
    {SSL_R_NO_PROTOCOLS_AVAILABLE, "no TLS version is allowed by the configuration of OpenSSL"},
    {SSL_R_CERTIFICATE_VERIFY_FAILED, "the peer's certificate was not accepted"},
    {SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, "the peer sent no certificate"},
    {SSL_R_NO_CERTIFICATE_ASSIGNED, "the certificate is missing"},
    {SSL_R_EE_KEY_TOO_SMALL, "the key is too small"},
    {SSL_R_CA_KEY_TOO_SMALL, "the key of a CA is too small"},
    {SSL_R_CA_MD_TOO_WEAK, "a signature in the chain uses a hash that is too weak"},
}};

/// Libraries that report malformed octets.
bool is_about_form(int library)
{
    constexpr std::array kParsers{
        ERR_LIB_ASN1,  ERR_LIB_PEM,  ERR_LIB_OSSL_DECODER, ERR_LIB_OSSL_STORE, ERR_LIB_X509V3, ERR_LIB_CMS,
        ERR_LIB_PKCS7, ERR_LIB_PROV, ERR_LIB_EVP,          ERR_LIB_RSA,        ERR_LIB_EC};
    return std::find(kParsers.begin(), kParsers.end(), library) != kParsers.end();
}

} // namespace

std::string words_for(unsigned long code)
{
    const int library = ERR_GET_LIB(code);
    const int reason = ERR_GET_REASON(code);
    if (ERR_SYSTEM_ERROR(code)) return std::generic_category().message(reason);
    if (library == ERR_LIB_BIO && reason == BIO_R_NO_SUCH_FILE) return "there is no such file";
    if (library >= ERR_LIB_USER) { // a provider that OpenSSL loaded, such as that of a TPM
        const char* words = ERR_reason_error_string(code);
        return words == nullptr ? std::string{} : words;
    }
    if (library == ERR_LIB_X509 && reason == X509_R_KEY_VALUES_MISMATCH)
        return "the key does not belong to the certificate";
    if (library == ERR_LIB_SSL && reason >= SSL_AD_REASON_OFFSET) {
        const int alert = reason - SSL_AD_REASON_OFFSET;
        const auto words = find(kAlerts, alert);
        return words.empty() ? fmt::format("the peer sent the TLS alert {}", alert) : std::string{words};
    }
    if (library == ERR_LIB_SSL)
        if (const auto words = find(kTls, reason); !words.empty()) return std::string{words};
    if (is_about_form(library)) return {};
    return fmt::format("OpenSSL's error {0:08X}, which \"openssl errstr {0:08X}\" explains", code);
}

} // namespace acmetool::crypto
