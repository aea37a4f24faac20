#include "crypto/certificate_builder.h"

#include <fmt/core.h>
#include <openssl/x509v3.h>

#include "crypto/digest.h"
#include "crypto/openssl.h"

namespace acmetool::crypto
{
namespace
{

bool add_name(X509_NAME* name, int nid, const std::string& value)
{
    return value.empty() || X509_NAME_add_entry_by_NID(name, nid, MBSTRING_UTF8,
                                                       reinterpret_cast<const unsigned char*>(value.data()),
                                                       static_cast<int>(value.size()), -1, 0) == 1;
}

} // namespace

Result<Certificate> build_certificate(const CertificateProfile& profile, const Key& subject,
                                      const Certificate* issuer, const Key& issuer_key)
{
    auto certificate = Certificate::adopt(X509_new());
    X509* x509 = certificate.get();
    auto serial = random_bytes(16);
    serial[0] = static_cast<unsigned char>((serial[0] & 0x7fU) | 0x40U); // positive, always 16 octets
    const BignumPtr number{BN_bin2bn(serial.data(), static_cast<int>(serial.size()), nullptr)};
    BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(x509));
    X509_set_version(x509, X509_VERSION_3);
    ASN1_TIME_set(X509_getm_notBefore(x509), profile.not_before.time_since_epoch().count());
    ASN1_TIME_set(X509_getm_notAfter(x509), profile.not_after.time_since_epoch().count());
    X509_NAME* name = X509_get_subject_name(x509);
    const bool good = add_name(name, NID_serialNumber, profile.serial_number) &&
                      add_name(name, NID_commonName, profile.common_name);
    X509* signer = issuer != nullptr ? issuer->get() : x509;
    X509_set_issuer_name(x509, X509_get_subject_name(signer));
    X509_set_pubkey(x509, subject.get());
    X509V3_CTX context;
    X509V3_set_ctx(&context, signer, x509, nullptr, nullptr, 0);
    X509V3_set_ctx_nodb(&context);
    for (const auto& [what, value] : profile.extensions) {
        const ExtensionPtr extension{X509V3_EXT_conf(nullptr, &context, what.c_str(), value.c_str())};
        if (!extension || X509_add_ext(x509, extension.get(), -1) != 1)
            return openssl_failure(Errc::bad_input, fmt::format("certificate extension {}={}", what, value));
    }
    if (!good || X509_sign(x509, issuer_key.get(), EVP_sha256()) <= 0)
        return openssl_failure(Errc::internal, "building a certificate");
    return certificate;
}

} // namespace acmetool::crypto
