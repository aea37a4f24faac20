#pragma once

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>

#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "crypto/cert.h"
#include "crypto/key.h"

/// Certificates made on the spot, and published vectors read in place.
namespace acmetool::test
{

struct Identity {
    crypto::Key key;
    crypto::Certificate certificate;
};

/// A self-signed certificate for `name`; `serial_number`, where given, goes into the subject.
inline Identity make_identity(const std::string& name, const std::string& serial_number = {},
                              const char* type = "ec:P-256")
{
    auto key = *crypto::generate_key(type);
    X509* x509 = X509_new();
    X509_set_version(x509, X509_VERSION_3);
    static long next_serial = 0;
    ASN1_INTEGER_set(X509_get_serialNumber(x509), ++next_serial);
    X509_gmtime_adj(X509_getm_notBefore(x509), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x509), 3600);
    X509_NAME* subject = X509_get_subject_name(x509);
    const auto add = [&](const char* field, const std::string& value) {
        X509_NAME_add_entry_by_txt(subject, field, MBSTRING_UTF8,
                                   reinterpret_cast<const unsigned char*>(value.data()),
                                   static_cast<int>(value.size()), -1, 0);
    };
    add("CN", name);
    if (!serial_number.empty()) add("serialNumber", serial_number);
    X509_set_issuer_name(x509, subject);
    X509_set_pubkey(x509, key.get());
    X509_sign(x509, key.get(), type == std::string{"ed25519"} ? nullptr : EVP_sha256());
    return {std::move(key), crypto::Certificate::adopt(x509)};
}

/// A file of the published vectors, or nothing where they are not at hand.
inline std::optional<std::string> vector(const std::string& path)
{
    const char* shared = std::getenv("ACMETOOL_SHARED");
    std::ifstream file{std::string{shared != nullptr ? shared : "../shared"} + "/spec/examples/" + path,
                       std::ios::binary};
    if (!file) return std::nullopt;
    return std::string{std::istreambuf_iterator<char>{file}, {}};
}

} // namespace acmetool::test

/// Declares `name` with the content of a vector; the test case ends here, told, where it is not at hand.
#define ACMETOOL_VECTOR(name, path)                                                                          \
    const auto name##_file = ::acmetool::test::vector(path);                                                 \
    if (!name##_file) {                                                                                      \
        MESSAGE("skipped: no published vectors at ACMETOOL_SHARED");                                         \
        return;                                                                                              \
    }                                                                                                        \
    const std::string& name = *name##_file
