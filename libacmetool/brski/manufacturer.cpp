#include "brski/manufacturer.h"

#include <algorithm>
#include <filesystem>

#include <fmt/core.h>

#include "brski/idevid.h"
#include "crypto/certificate_builder.h"
#include "crypto/key_type.h"
#include "crypto/path.h"
#include "dns/name.h"
#include "store/certified_key.h"

namespace acmetool::brski
{
namespace
{

using crypto::Certificate;
using crypto::Key;

using Pair = store::CertifiedKey;

constexpr std::chrono::hours kDay{24};
constexpr auto kManufacturerLife = kDay * 3650;
constexpr auto kTlsLife = kDay * 90;

Result<Pair> make(const std::string& base, const crypto::CertificateProfile& profile, const Pair* issuer)
{
    ACMETOOL_TRY(key, crypto::generate_key(crypto::kDefaultKeyType));
    ACMETOOL_TRY(certificate,
                 crypto::build_certificate(profile, key, issuer != nullptr ? &issuer->certificate : nullptr,
                                           issuer != nullptr ? issuer->key : key));
    Pair made{std::move(certificate), std::move(key)};
    ACMETOOL_CHECK(store::save_certified_key(
        base, made, issuer != nullptr ? issuer->certificate.to_pem() : std::string{}));
    return made;
}

} // namespace

Result<LabManufacturer> open_manufacturer(const std::string& folder, base::TimePoint now)
{
    std::error_code problem;
    std::filesystem::create_directories(folder, problem);
    if (problem) return fail(Errc::cannot_create, fmt::format("{}: {}", folder, problem.message()));
    crypto::CertificateProfile profile;
    profile.not_before = now - std::chrono::minutes{1};
    profile.not_after = now + kManufacturerLife;
    ACMETOOL_TRY(known_ca, store::load_certified_key(folder + "/vendor"));
    if (!known_ca) {
        profile.common_name = "Lab manufacturer CA";
        profile.extensions = {{"subjectKeyIdentifier", "hash"},
                              {"basicConstraints", "critical,CA:TRUE"},
                              {"keyUsage", "critical,keyCertSign,cRLSign"}};
        ACMETOOL_TRY(made, make(folder + "/vendor", profile, nullptr));
        known_ca = std::move(made);
    }
    ACMETOOL_TRY(known_masa, store::load_certified_key(folder + "/masa"));
    if (!known_masa) {
        profile.common_name = "Lab MASA";
        profile.extensions = {{"subjectKeyIdentifier", "hash"},
                              {"authorityKeyIdentifier", "keyid:always"},
                              {"basicConstraints", "critical,CA:FALSE"},
                              {"keyUsage", "critical,digitalSignature"}};
        ACMETOOL_TRY(made, make(folder + "/masa", profile, &*known_ca));
        known_masa = std::move(made);
    }
    return LabManufacturer{known_ca->key, known_ca->certificate,
                           Signer{known_masa->key, {known_masa->certificate, known_ca->certificate}}};
}

Result<void> make_tls_certificate(const LabManufacturer& manufacturer, const std::string& folder,
                                  const std::vector<std::string>& names, base::TimePoint now)
{
    ACMETOOL_TRY(known, store::load_certified_key(folder + "/masa-tls"));
    if (known && known->certificate.not_after() > now + kDay &&
        std::all_of(names.begin(), names.end(),
                    [&](const auto& name) { return crypto::is_valid_for(known->certificate, name); }))
        return {};
    std::string alternative;
    for (const auto& name : names)
        alternative += fmt::format("{}{}:{}", alternative.empty() ? "" : ",",
                                   dns::is_ip_literal(name) ? "IP" : "DNS", name);
    crypto::CertificateProfile profile;
    profile.common_name = "Lab MASA server";
    profile.not_before = now - std::chrono::minutes{1};
    profile.not_after = now + kTlsLife;
    profile.extensions = {
        {"subjectKeyIdentifier", "hash"},          {"authorityKeyIdentifier", "keyid:always"},
        {"basicConstraints", "critical,CA:FALSE"}, {"keyUsage", "critical,digitalSignature"},
        {"extendedKeyUsage", "serverAuth"},        {"subjectAltName", alternative}};
    const Pair issuer{manufacturer.ca, manufacturer.ca_key};
    ACMETOOL_CHECK(make(folder + "/masa-tls", profile, &issuer));
    return {};
}

Result<crypto::Certificate> make_idevid(const LabManufacturer& manufacturer, const crypto::Key& key,
                                        const std::string& serial_number, const std::string& url,
                                        base::TimePoint now)
{
    crypto::CertificateProfile profile;
    profile.serial_number = serial_number;
    profile.common_name = "Lab device";
    profile.not_before = now - std::chrono::minutes{1};
    profile.not_after = base::TimePoint{std::chrono::seconds{253402300799}}; // 9999-12-31T23:59:59Z
    profile.extensions = {{"subjectKeyIdentifier", "hash"},
                          {"authorityKeyIdentifier", "keyid:always"},
                          {"basicConstraints", "critical,CA:FALSE"},
                          {"keyUsage", "critical,digitalSignature"}};
    if (!url.empty()) {
        ACMETOOL_CHECK(parse_masa_url(url));
        profile.extensions.emplace_back(kMasaUrlExtension, "ASN1:IA5STRING:" + url);
    }
    return crypto::build_certificate(profile, key, &manufacturer.ca, manufacturer.ca_key);
}

} // namespace acmetool::brski
