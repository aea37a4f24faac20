#include "ca/authority.h"

#include <filesystem>
#include <optional>

#include <fmt/core.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "crypto/general_names.h"
#include "crypto/openssl.h"
#include "crypto/spki.h"
#include "dns/name.h"
#include "store/atomic_file.h"
#include "store/certified_key.h"

namespace acmetool::ca
{
namespace
{

using crypto::Certificate;
using crypto::Key;
using crypto::openssl_failure;

struct Profile {
    std::string common_name; ///< empty: no subject, the names are in the SAN
    Issuance issuance;
    bool is_ca = false;
};

Issuance lasting(base::TimePoint now, std::chrono::seconds lifetime)
{
    return {{}, now - std::chrono::minutes{1}, now + lifetime};
}

bool add_extension(X509* x509, X509V3_CTX* context, int nid, const char* value)
{
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, context, nid, value);
    const bool done = extension != nullptr && X509_add_ext(x509, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return done;
}

/// A certificate by `issuer`, or by itself where there is none.
Result<Certificate> certify(const Key& subject_key, const Profile& profile, const Certificate* issuer,
                            const Key& issuer_key)
{
    auto certificate = Certificate::adopt(X509_new());
    X509* x509 = certificate.get();
    unsigned char serial[16];
    RAND_bytes(serial, sizeof serial);
    serial[0] = static_cast<unsigned char>((serial[0] & 0x7f) | 0x40); // positive, always 16 octets
    const crypto::BignumPtr number{BN_bin2bn(serial, sizeof serial, nullptr)};
    BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(x509));
    X509_set_version(x509, X509_VERSION_3);
    ASN1_TIME_set(X509_getm_notBefore(x509), profile.issuance.not_before.time_since_epoch().count());
    ASN1_TIME_set(X509_getm_notAfter(x509), profile.issuance.not_after.time_since_epoch().count());
    X509_NAME* name = X509_get_subject_name(x509);
    if (!profile.common_name.empty())
        X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8,
                                   reinterpret_cast<const unsigned char*>(profile.common_name.c_str()), -1,
                                   -1, 0);
    X509* signer = issuer != nullptr ? issuer->get() : x509;
    X509_set_issuer_name(x509, X509_get_subject_name(signer));
    if (profile.is_ca)
        X509_set_pubkey(x509, subject_key.get());
    else if (!crypto::write_spki(x509, subject_key)) // it would take longer to read than all else
        return openssl_failure(Errc::internal, "building a certificate");

    X509V3_CTX context;
    X509V3_set_ctx(&context, signer, x509, nullptr, nullptr, 0);
    bool good = add_extension(x509, &context, NID_subject_key_identifier, "hash") &&
                add_extension(x509, &context, NID_basic_constraints,
                              profile.is_ca ? "critical,CA:TRUE" : "critical,CA:FALSE") &&
                add_extension(x509, &context, NID_key_usage,
                              profile.is_ca ? "critical,keyCertSign,cRLSign,digitalSignature"
                                            : "critical,digitalSignature");
    if (issuer != nullptr)
        good = good && add_extension(x509, &context, NID_authority_key_identifier, "keyid:always");
    if (!profile.is_ca) {
        const auto names = crypto::make_general_names(profile.issuance.identifiers);
        good = good && add_extension(x509, &context, NID_ext_key_usage, profile.issuance.purposes.c_str()) &&
               names &&
               X509_add1_ext_i2d(x509, NID_subject_alt_name, names.get(), profile.common_name.empty() ? 1 : 0,
                                 X509V3_ADD_DEFAULT) == 1;
    }
    if (!good || X509_sign(x509, issuer_key.get(), EVP_sha256()) <= 0)
        return openssl_failure(Errc::internal, "building a certificate");
    return certificate;
}

using Pair = store::CertifiedKey;

/// The pair in the folder, or a new one.
Result<Pair> load_or_make(const std::string& base, const Profile& profile, const Pair* issuer,
                          base::TimePoint now)
{
    ACMETOOL_TRY(known, store::load_certified_key(base));
    if (known && known->certificate.not_after() > now + std::chrono::hours{24}) return std::move(*known);
    ACMETOOL_TRY(key, crypto::generate_key("ec:P-256"));
    ACMETOOL_TRY(certificate, certify(key, profile, issuer != nullptr ? &issuer->certificate : nullptr,
                                      issuer != nullptr ? issuer->key : key));
    Pair made{std::move(certificate), std::move(key)};
    ACMETOOL_CHECK(store::save_certified_key(base, made));
    return made;
}

/// The certificate of the pair's key by another issuer, from the folder or made.
Result<Certificate> cross_certify(const std::string& path, const Profile& profile, const Pair& pair,
                                  const Pair& issuer, base::TimePoint now)
{
    std::error_code none;
    if (std::filesystem::exists(path, none)) {
        ACMETOOL_TRY(pem, store::read_file(path));
        ACMETOOL_TRY(known, crypto::parse_certificates(pem, path));
        if (known.front().public_key().same_public_key(pair.key) &&
            known.front().is_issued_by(issuer.certificate) &&
            known.front().not_after() > now + std::chrono::hours{24})
            return known.front();
    }
    ACMETOOL_TRY(made, certify(pair.key, profile, &issuer.certificate, issuer.key));
    ACMETOOL_CHECK(store::write_atomically(path, made.to_pem(), 0644));
    return made;
}

} // namespace

Result<Authority> Authority::open(const std::string& folder, const std::vector<std::string>& names,
                                  base::TimePoint now)
{
    constexpr std::chrono::hours kYear{24 * 365};
    std::error_code problem;
    std::filesystem::create_directories(folder, problem);
    if (problem)
        return fail(Errc::cannot_create, fmt::format("{}: {}", folder, problem.message()), {}, "caFolder");
    Authority authority;
    authority.folder_ = folder;
    ACMETOOL_TRY(root,
                 load_or_make(folder + "/root",
                              {"acme-integrations LAB Root", lasting(now, kYear * 20), true}, nullptr, now));
    const Profile intermediate_profile{"acme-integrations LAB Intermediate", lasting(now, kYear * 10), true};
    ACMETOOL_TRY(intermediate, load_or_make(folder + "/intermediate", intermediate_profile, &root, now));
    ACMETOOL_TRY(alternate_root,
                 load_or_make(folder + "/root-alternate",
                              {"acme-integrations LAB Alternate Root", lasting(now, kYear * 20), true},
                              nullptr, now));
    ACMETOOL_TRY(alternate, cross_certify(folder + "/intermediate-alternate.pem", intermediate_profile,
                                          intermediate, alternate_root, now));
    ACMETOOL_TRY(tls_ca,
                 load_or_make(folder + "/tls-ca",
                              {"acme-integrations LAB TLS", lasting(now, kYear * 10), true}, nullptr, now));
    Profile tls{"acme-ca LAB", lasting(now, kYear), false};
    for (const auto& name : names)
        tls.issuance.identifiers.push_back({dns::is_ip_literal(name) ? "ip" : "dns", name});
    ACMETOOL_CHECK(load_or_make(folder + "/tls", tls, &tls_ca, now));
    authority.root_ = root.certificate;
    authority.intermediate_ = intermediate.certificate;
    authority.alternate_intermediate_ = alternate;
    authority.intermediate_key_ = intermediate.key;
    return authority;
}

Result<std::vector<Certificate>> Authority::issue(const Key& key, const Issuance& issuance) const
{
    ACMETOOL_TRY(certificate, certify(key, {{}, issuance, false}, &intermediate_, intermediate_key_));
    return std::vector<Certificate>{certificate, intermediate_};
}

Result<std::vector<Certificate>> Authority::issue(const Key& key,
                                                  const std::vector<crypto::Identifier>& identifiers,
                                                  base::TimePoint now, std::chrono::seconds lifetime) const
{
    auto issuance = lasting(now, lifetime);
    issuance.identifiers = identifiers;
    ACMETOOL_TRY(chain, issue(key, issuance));
    return crypto::parse_pem_chain(crypto::to_pem(chain));
}

Result<Bytes> Authority::crl(const std::vector<Revoked>& revoked, base::TimePoint now) const
{
    const crypto::X509CrlPtr crl{X509_CRL_new()};
    const crypto::Owned<ASN1_TIME, ASN1_STRING_free> this_update{
        ASN1_TIME_set(nullptr, now.time_since_epoch().count())};
    const crypto::Owned<ASN1_TIME, ASN1_STRING_free> next_update{
        ASN1_TIME_set(nullptr, (now + kCrlLifetime).time_since_epoch().count())};
    X509_CRL_set_version(crl.get(), X509_CRL_VERSION_2);
    X509_CRL_set_issuer_name(crl.get(), X509_get_subject_name(intermediate_.get()));
    X509_CRL_set1_lastUpdate(crl.get(), this_update.get());
    X509_CRL_set1_nextUpdate(crl.get(), next_update.get());
    for (const auto& entry : revoked) {
        BIGNUM* raw = nullptr;
        BN_hex2bn(&raw, entry.serial.c_str());
        const crypto::BignumPtr number{raw};
        const crypto::Owned<ASN1_INTEGER, ASN1_INTEGER_free> serial{
            BN_to_ASN1_INTEGER(number.get(), nullptr)};
        const crypto::Owned<ASN1_TIME, ASN1_STRING_free> at{
            ASN1_TIME_set(nullptr, entry.at.time_since_epoch().count())};
        X509_REVOKED* item = X509_REVOKED_new();
        X509_REVOKED_set_serialNumber(item, serial.get());
        X509_REVOKED_set_revocationDate(item, at.get());
        if (entry.reason != 0) {
            const crypto::Owned<ASN1_ENUMERATED, ASN1_ENUMERATED_free> reason{ASN1_ENUMERATED_new()};
            ASN1_ENUMERATED_set(reason.get(), entry.reason);
            X509_REVOKED_add1_ext_i2d(item, NID_crl_reason, reason.get(), 0, 0);
        }
        X509_CRL_add0_revoked(crl.get(), item);
    }
    X509_CRL_sort(crl.get());
    if (X509_CRL_sign(crl.get(), intermediate_key_.get(), EVP_sha256()) <= 0)
        return openssl_failure(Errc::internal, "signing the CRL");
    unsigned char* out = nullptr;
    const int size = i2d_X509_CRL(crl.get(), &out);
    const crypto::OpensslMemory owned{out};
    return size > 0 ? Bytes(out, out + size) : Bytes{};
}

} // namespace acmetool::ca
