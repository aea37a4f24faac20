#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/time.h"
#include "crypto/cert.h"
#include "crypto/crl.h"
#include "crypto/digest.h"
#include "crypto/key.h"
#include "crypto/openssl.h"
#include "odd_keys.h"

/// Certification paths with one fault each, and CRLs.
namespace acmetool::test
{

using Extensions = std::vector<std::pair<std::string, std::string>>;

/// How one certificate is made.
struct ChainLink {
    std::string name;
    std::string serial_number = {};      ///< in the subject
    const char* key = "ec:P-256";        ///< "rsa:BITS"; "explicit": with the curve's parameters
    const EVP_MD* digest = EVP_sha256(); ///< of the signature on it
    std::chrono::hours from{-1};         ///< relative to now
    std::chrono::hours until{1};
    long version = X509_VERSION_3;
    Extensions extensions;
};

struct Chained {
    crypto::Key key;
    crypto::Certificate certificate;
};

/// A key of any size; generate_key() refuses weak ones.
inline crypto::Key any_key(const std::string& type)
{
    if (type == "explicit") return with_explicit_curve(*crypto::generate_key("ec:P-256"));
    if (!type.starts_with("rsa:")) return *crypto::generate_key(type);
    static std::map<std::string, crypto::Key> known; // they are slow to make
    if (const auto found = known.find(type); found != known.end()) return found->second;
    auto key = crypto::Key::adopt(EVP_RSA_gen(static_cast<unsigned>(std::stoul(type.substr(4)))));
    known.emplace(type, key);
    return key;
}

inline Chained make_link(const ChainLink& link, const Chained* issuer, base::TimePoint now)
{
    auto key = any_key(link.key);
    auto certificate = crypto::Certificate::adopt(X509_new());
    X509* const x509 = certificate.get();
    X509_set_version(x509, link.version);
    const auto number = crypto::random_bytes(8);
    const crypto::BignumPtr big{BN_bin2bn(number.data(), 8, nullptr)};
    BN_to_ASN1_INTEGER(big.get(), X509_get_serialNumber(x509));
    const auto add = [subject = X509_get_subject_name(x509)](const char* field, const std::string& value) {
        X509_NAME_add_entry_by_txt(subject, field, MBSTRING_UTF8,
                                   reinterpret_cast<const unsigned char*>(value.c_str()), -1, -1, 0);
    };
    add("CN", link.name);
    if (!link.serial_number.empty()) add("serialNumber", link.serial_number);
    X509* const signer = issuer != nullptr ? issuer->certificate.get() : x509;
    X509_set_issuer_name(x509, X509_get_subject_name(signer));
    ASN1_TIME_set(X509_getm_notBefore(x509), (now + link.from).time_since_epoch().count());
    ASN1_TIME_set(X509_getm_notAfter(x509), (now + link.until).time_since_epoch().count());
    X509_set_pubkey(x509, key.get());
    X509V3_CTX context;
    X509V3_set_ctx(&context, signer, x509, nullptr, nullptr, 0);
    X509V3_set_ctx_nodb(&context);
    for (const auto& [what, value] : link.extensions) {
        const crypto::ExtensionPtr extension{X509V3_EXT_conf(nullptr, &context, what.c_str(), value.c_str())};
        X509_add_ext(x509, extension.get(), -1);
    }
    REQUIRE(X509_sign(x509, issuer != nullptr ? issuer->key.get() : key.get(), link.digest) > 0);
    // As everybody gets it: parsed from its octets.
    return {std::move(key),
            crypto::parse_certificates(certificate.to_pem(), "a certificate of the test")->front()};
}

/// Who validates a path. Each needs another purpose of the end entity.
enum class Validator {
    tls_server,     ///< a client: est-enroll, teap-enroll
    identity,       ///< the relays: IDevID; a MASA: signer of the pledge's request
    voucher_signer, ///< a pledge: the MASA
    registrar,      ///< a pledge: its TLS server
    masa            ///< a MASA: the signer of the registrar's request
};
inline constexpr Validator kValidators[] = {Validator::tls_server, Validator::identity,
                                            Validator::voucher_signer, Validator::registrar, Validator::masa};

/// The extendedKeyUsage that is right for a validator; empty: any is.
inline std::string usage_for(Validator validator)
{
    switch (validator) {
    case Validator::tls_server:
        return "serverAuth";
    case Validator::identity:
        return "clientAuth";
    case Validator::registrar:
    case Validator::masa:
        return "serverAuth,1.3.6.1.5.5.7.3.28";
    case Validator::voucher_signer:
        break;
    }
    return {};
}

/// Anchor, intermediate and end entity.
struct TestPath {
    Chained anchor;
    Chained middle;
    Chained end;
    std::vector<crypto::Certificate> extra; ///< what the peer sends besides
    std::vector<crypto::Certificate> chain() const
    {
        std::vector<crypto::Certificate> sent{end.certificate, middle.certificate};
        sent.insert(sent.end(), extra.begin(), extra.end());
        return sent;
    }
};

struct PathRecipe {
    ChainLink anchor;
    ChainLink middle;
    ChainLink end;
    bool impostor = false; ///< issued by another CA with the anchor's name, which is sent along
};

/// A good path for a validator.
inline PathRecipe good_path(Validator validator)
{
    PathRecipe recipe;
    const Extensions ca{{"basicConstraints", "critical,CA:TRUE"},
                        {"keyUsage", "critical,keyCertSign,cRLSign"},
                        {"subjectKeyIdentifier", "hash"}};
    recipe.anchor.name = "Anchor";
    recipe.anchor.extensions = ca;
    recipe.middle.name = "Intermediate";
    recipe.middle.extensions = ca;
    recipe.end.name = "end entity";
    recipe.end.serial_number = validator == Validator::identity ? "SN-1" : "";
    recipe.end.extensions = {{"basicConstraints", "critical,CA:FALSE"},
                             {"keyUsage", "critical,digitalSignature"},
                             {"subjectAltName", "DNS:localhost"}};
    if (const auto usage = usage_for(validator); !usage.empty())
        recipe.end.extensions.emplace_back("extendedKeyUsage", usage);
    return recipe;
}

inline void set_extension(ChainLink& link, const std::string& name, const std::string& value)
{
    for (auto& [what, old] : link.extensions)
        if (what == name) {
            old = value;
            return;
        }
    link.extensions.emplace_back(name, value);
}

struct PathFault {
    std::string name;
    void (*apply)(PathRecipe& recipe);
    std::string said;               ///< part of the message that every validator gives; empty: theirs differ
    std::set<Validator> taken = {}; ///< validators for which it is no fault
    bool no_issuer = false;         ///< the intermediate cannot issue: by itself the end entity is not faulty
};

inline const std::vector<PathFault>& path_faults()
{
    using V = Validator;
    static const std::vector<PathFault> faults{
        {"RSA-512", [](PathRecipe& r) { r.end.key = "rsa:512"; }, "key too weak"},
        {"RSA-1024", [](PathRecipe& r) { r.end.key = "rsa:1024"; }, "EE certificate key too weak"},
        {"RSA-1024 intermediate", [](PathRecipe& r) { r.middle.key = "rsa:1024"; },
         "CA certificate key too weak"},
        {"RSA-1024 anchor", [](PathRecipe& r) { r.anchor.key = "rsa:1024"; }, "CA certificate key too weak"},
        {"MD5 end entity",
         [](PathRecipe& r) {
             r.middle.key = "rsa:2048"; // there is no ECDSA with MD5
             r.end.digest = EVP_md5();
         },
         "digest algorithm too weak"},
        {"MD5 intermediate",
         [](PathRecipe& r) {
             r.anchor.key = "rsa:2048";
             r.middle.digest = EVP_md5();
         },
         "digest algorithm too weak"},
        {"SHA-1 end entity", [](PathRecipe& r) { r.end.digest = EVP_sha1(); }, "digest algorithm too weak"},
        {"SHA-1 intermediate", [](PathRecipe& r) { r.middle.digest = EVP_sha1(); },
         "digest algorithm too weak"},
        {"an explicit curve", [](PathRecipe& r) { r.end.key = "explicit"; }, "explicit curve parameters"},
        {"an explicit curve of the intermediate", [](PathRecipe& r) { r.middle.key = "explicit"; },
         "explicit curve parameters"},
        {"an explicit curve of the anchor", [](PathRecipe& r) { r.anchor.key = "explicit"; },
         "explicit curve parameters"},
        {"another extended key usage",
         [](PathRecipe& r) { set_extension(r.end, "extendedKeyUsage", "codeSigning"); },
         "",
         {V::voucher_signer}},
        {"another key usage",
         [](PathRecipe& r) { set_extension(r.end, "keyUsage", "critical,keyAgreement"); },
         "",
         {V::tls_server}}, // good for a key exchange of TLS 1.2
        {"a key usage for CAs only",
         [](PathRecipe& r) { set_extension(r.end, "keyUsage", "critical,cRLSign"); }, ""},
        {"expired end entity", [](PathRecipe& r) { r.end.until = std::chrono::hours{0}; }, "has expired"},
        {"expired intermediate", [](PathRecipe& r) { r.middle.until = std::chrono::hours{0}; },
         "has expired"},
        {"end entity not valid yet",
         [](PathRecipe& r) {
             r.end.from = std::chrono::hours{1};
             r.end.until = std::chrono::hours{2};
         },
         "not yet valid"},
        {"an issuer that is no CA",
         [](PathRecipe& r) { set_extension(r.middle, "basicConstraints", "critical,CA:FALSE"); },
         "invalid CA certificate",
         {},
         true},
        {"an issuer of version 1",
         [](PathRecipe& r) {
             r.middle.version = X509_VERSION_1;
             r.middle.extensions.clear();
         },
         "invalid CA certificate",
         {},
         true},
        {"an issuer without keyCertSign",
         [](PathRecipe& r) { set_extension(r.middle, "keyUsage", "critical,digitalSignature"); },
         "",
         {},
         true},
        {"pathLen exceeded",
         [](PathRecipe& r) { set_extension(r.anchor, "basicConstraints", "critical,CA:TRUE,pathlen:0"); },
         "path length constraint exceeded"},
        {"nameConstraints",
         [](PathRecipe& r) {
             set_extension(r.middle, "nameConstraints", "critical,permitted;DNS:example.org");
         },
         "permitted subtree violation"},
        {"an unknown critical extension",
         [](PathRecipe& r) { set_extension(r.end, "1.2.3.4.5", "critical,ASN1:NULL"); },
         "unhandled critical extension"},
        {"an impostor with the anchor's name", [](PathRecipe& r) { r.impostor = true; }, ""},
    };
    return faults;
}

inline TestPath make_path(const PathRecipe& recipe, base::TimePoint now)
{
    TestPath path{make_link(recipe.anchor, nullptr, now), {}, {}, {}};
    auto issuer = path.anchor;
    if (recipe.impostor) {
        issuer = make_link(recipe.anchor, nullptr, now);
        path.extra.push_back(issuer.certificate);
    }
    path.middle = make_link(recipe.middle, &issuer, now);
    path.end = make_link(recipe.end, &path.middle, now);
    return path;
}

inline bool mentions(const std::string& text, const std::string& part)
{
    return text.find(part) != std::string::npos;
}

struct CrlRecipe {
    std::vector<crypto::Certificate> revoked = {};
    std::chrono::hours from{-1};
    std::chrono::hours until{1};
    const EVP_MD* digest = EVP_sha256();
};

/// A CRL in the name of `issuer`, signed with `key`.
inline crypto::Crl make_crl(const CrlRecipe& recipe, const crypto::Certificate& issuer,
                            const crypto::Key& key, base::TimePoint now)
{
    auto crl = crypto::Crl::adopt(X509_CRL_new());
    X509_CRL_set_version(crl.get(), X509_CRL_VERSION_2);
    X509_CRL_set_issuer_name(crl.get(), X509_get_subject_name(issuer.get()));
    const auto set = [&](auto function, std::chrono::hours when) {
        ASN1_TIME* const time = ASN1_TIME_set(nullptr, (now + when).time_since_epoch().count());
        function(crl.get(), time);
        ASN1_TIME_free(time);
    };
    set(X509_CRL_set1_lastUpdate, recipe.from);
    set(X509_CRL_set1_nextUpdate, recipe.until);
    for (const auto& certificate : recipe.revoked) {
        X509_REVOKED* const entry = X509_REVOKED_new();
        X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(certificate.get()));
        ASN1_TIME* const time = ASN1_TIME_set(nullptr, (now + recipe.from).time_since_epoch().count());
        X509_REVOKED_set_revocationDate(entry, time);
        ASN1_TIME_free(time);
        X509_CRL_add0_revoked(crl.get(), entry);
    }
    X509_CRL_sort(crl.get());
    X509_CRL_sign(crl.get(), key.get(), recipe.digest);
    // As everybody gets them: parsed from their octets.
    return crypto::parse_crls(crl.to_pem(), "a CRL of the test")->front();
}

inline std::shared_ptr<const crypto::CrlSet> crl_set(std::vector<crypto::Crl> crls,
                                                     crypto::StaleCrl stale = crypto::StaleCrl::refuse)
{
    return std::make_shared<const crypto::CrlSet>(std::move(crls), stale);
}

} // namespace acmetool::test
