#pragma once

// Certificates with the fields of the input and the signatures of an issuer that is trusted: a changed
// certificate has no right signature, and nothing behind its check would be reached.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <openssl/x509.h>

#include "crypto/certificate_builder.h"

namespace fuzz
{

using namespace acmetool;

struct Identity {
    crypto::Key key;
    crypto::Certificate certificate;
};

/// A certificate valid from 2020 on, under `issuer`; null: by itself.
inline Identity make_identity(const std::string& name, const std::string& serial, const Identity* issuer,
                              std::vector<std::pair<std::string, std::string>> extensions)
{
    crypto::CertificateProfile profile;
    profile.common_name = name;
    profile.serial_number = serial;
    profile.extensions = std::move(extensions);
    profile.not_before = *base::parse_rfc3339("2020-01-01T00:00:00Z");
    profile.not_after = *base::parse_rfc3339("2099-01-01T00:00:00Z");
    auto key = *crypto::generate_key("ec:P-256");
    auto certificate =
        *crypto::build_certificate(profile, key, issuer != nullptr ? &issuer->certificate : nullptr,
                                   issuer != nullptr ? issuer->key : key);
    return {std::move(key), std::move(certificate)};
}

inline Identity make_authority(const std::string& name)
{
    return make_identity(name, "", nullptr,
                         {{"basicConstraints", "critical,CA:TRUE"}, {"subjectKeyIdentifier", "hash"}});
}

/// The certificates of the input, eight at most: DER, each with two octets of length before it.
inline std::vector<crypto::Certificate> read_chain(ByteView input)
{
    std::vector<crypto::Certificate> chain;
    while (input.size() > 2 && chain.size() < 8) {
        const auto count = std::min<std::size_t>(std::size_t{input[0]} << 8U | input[1], input.size() - 2);
        const auto* at = input.data() + 2;
        if (X509* x509 = d2i_X509(nullptr, &at, static_cast<long>(count)))
            chain.push_back(crypto::Certificate::adopt(x509));
        input = input.subspan(2 + count);
    }
    return chain;
}

/// The same certificates as a chain below `issuer`: each named as its issuer's subject says, with the
/// issuer's key if others follow, and signed. Empty if one cannot be written again.
inline std::vector<crypto::Certificate> below(const Identity& issuer,
                                              const std::vector<crypto::Certificate>& chain)
{
    static const auto key = *crypto::generate_key("ec:P-256");
    std::vector<crypto::Certificate> made;
    for (auto one = chain.rbegin(); one != chain.rend(); ++one) {
        const auto& above = made.empty() ? issuer.certificate : made.front();
        X509* x509 = X509_dup(one->get());
        if (x509 == nullptr) return {};
        auto certificate = crypto::Certificate::adopt(x509);
        if (one + 1 != chain.rend()) X509_set_pubkey(x509, key.get());
        X509_set_issuer_name(x509, X509_get_subject_name(above.get()));
        if (X509_sign(x509, made.empty() ? issuer.key.get() : key.get(), EVP_sha256()) == 0) return {};
        const auto der = certificate.der();
        const auto* at = der.data();
        X509* again = d2i_X509(nullptr, &at, static_cast<long>(der.size()));
        if (again == nullptr) return {};
        made.insert(made.begin(), crypto::Certificate::adopt(again));
    }
    return made;
}

} // namespace fuzz
