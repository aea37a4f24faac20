#pragma once

#include <string>

#include <openssl/x509.h>

#include "../crypto/odd_keys.h"
#include "crypto/certificate_builder.h"

namespace acmetool::test
{

/// A manufacturer whose certificates have key identifiers, so that CAs of one name can be told apart.
struct Vendor {
    explicit Vendor(std::string its_name) : name(std::move(its_name)), key(*crypto::generate_key("ec:P-256"))
    {
        certificate = *crypto::build_certificate(ca_profile(name), key, nullptr, key);
    }

    static base::TimePoint now() { return base::TimePoint{std::chrono::seconds{1795478325}}; }
    static crypto::CertificateProfile profile(const std::string& name)
    {
        crypto::CertificateProfile made;
        made.common_name = name;
        made.not_before = now() - std::chrono::hours{24};
        made.not_after = now() + std::chrono::hours{24 * 365};
        made.extensions = {{"subjectKeyIdentifier", "hash"}, {"authorityKeyIdentifier", "keyid"}};
        return made;
    }
    static crypto::CertificateProfile ca_profile(const std::string& name)
    {
        auto made = profile(name);
        made.extensions.emplace_back("basicConstraints", "critical,CA:TRUE");
        made.extensions.emplace_back("keyUsage", "critical,keyCertSign,cRLSign");
        return made;
    }
    crypto::Certificate idevid_for(const crypto::Key& device, const std::string& serial) const
    {
        auto made = profile("device");
        made.extensions.emplace_back("keyUsage", "critical,digitalSignature");
        const auto built = *crypto::build_certificate(made, device, &certificate, key);
        // By its type, the serial number may be longer than OpenSSL's table allows.
        if (!serial.empty())
            X509_NAME_add_entry_by_NID(X509_get_subject_name(built.get()), NID_serialNumber,
                                       V_ASN1_UTF8STRING,
                                       reinterpret_cast<const unsigned char*>(serial.data()),
                                       static_cast<int>(serial.size()), -1, 0);
        REQUIRE(X509_sign(built.get(), key.get(), EVP_sha256()) > 0);
        return built;
    }
    crypto::Certificate idevid(const std::string& serial) const
    {
        return idevid_for(*crypto::generate_key("ec:P-256"), serial);
    }
    Vendor below(const std::string& other) const
    {
        Vendor made{other};
        made.certificate = *crypto::build_certificate(ca_profile(other), made.key, &certificate, key);
        return made;
    }
    /// Another certificate for the same key.
    crypto::Certificate renewed(const std::string& as = "Maker CA", bool with_compressed_point = false) const
    {
        auto made = ca_profile(as);
        made.extensions.front().second = identifier_of(certificate);
        return *crypto::build_certificate(made, with_compressed_point ? compressed(key) : key, nullptr, key);
    }

    std::string name;
    crypto::Key key;
    crypto::Certificate certificate;

private:
    static std::string identifier_of(const crypto::Certificate& certificate)
    {
        const auto* octets = X509_get0_subject_key_id(certificate.get());
        REQUIRE(octets != nullptr);
        return to_hex({ASN1_STRING_get0_data(octets), static_cast<std::size_t>(ASN1_STRING_length(octets))});
    }
};

} // namespace acmetool::test
