#include "crypto/crl.h"

#include <algorithm>

#include <fmt/core.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/text.h"
#include "crypto/digest_strength.h"
#include "crypto/openssl.h"

namespace acmetool::crypto
{
namespace
{

constexpr std::size_t kMostCrls = 100;
constexpr std::string_view kCrlLabel = "-----BEGIN X509 CRL-----";

std::size_t count_blocks(std::string_view text)
{
    std::size_t count = 0;
    for (auto at = text.find(kCrlLabel); at != std::string_view::npos; at = text.find(kCrlLabel, at + 1))
        ++count;
    return count;
}

Result<std::vector<Crl>> read_crls(std::string_view text, std::string_view what)
{
    const auto blocks = count_blocks(text);
    if (blocks > kMostCrls)
        return fail(Errc::bad_input, fmt::format("{}: more than {} CRLs", what, kMostCrls));
    std::vector<Crl> found;
    const BioPtr bio = memory_bio(text);
    if (!bio) return openssl_failure(Errc::internal, "preparing to read CRLs");
    if (blocks == 0) {
        if (X509_CRL* const crl = d2i_X509_CRL_bio(bio.get(), nullptr); crl != nullptr)
            found.push_back(Crl::adopt(crl));
    } else {
        while (X509_CRL* const crl = PEM_read_bio_X509_CRL(bio.get(), nullptr, nullptr, nullptr))
            found.push_back(Crl::adopt(crl));
    }
    if (found.empty() || found.size() < blocks)
        return openssl_failure(
            Errc::bad_input,
            fmt::format("{}: {}", what, blocks == 0 ? "contains no CRL" : "a CRL that cannot be read"),
            "expected PEM (-----BEGIN X509 CRL-----) or DER");
    static_cast<void>(
        openssl_failure(Errc::internal, {})); // OpenSSL reports the end of the input as an error
    return found;
}

/// RSASSA-PSS has its digest in the parameters (RFC 4055 section 3.1), SHA-1 unless they name another.
bool has_weak_pss_digest(const X509_CRL* crl)
{
    const X509_ALGOR* algorithm = nullptr;
    X509_CRL_get0_signature(crl, nullptr, &algorithm);
    const ASN1_OBJECT* object = nullptr;
    int type = V_ASN1_UNDEF;
    const void* value = nullptr;
    X509_ALGOR_get0(&object, &type, &value, algorithm);
    if (type != V_ASN1_SEQUENCE) return true;
    const auto* const text = static_cast<const ASN1_STRING*>(value);
    const auto* octets = ASN1_STRING_get0_data(text);
    const Owned<RSA_PSS_PARAMS, RSA_PSS_PARAMS_free> parameters{
        d2i_RSA_PSS_PARAMS(nullptr, &octets, ASN1_STRING_length(text))};
    if (!parameters || parameters->hashAlgorithm == nullptr) return true;
    return is_weak_digest(OBJ_obj2nid(parameters->hashAlgorithm->algorithm));
}

bool has_weak_digest(const X509_CRL* crl)
{
    if (X509_CRL_get_signature_nid(crl) == NID_rsassaPss) return has_weak_pss_digest(crl);
    int digest = NID_undef;
    return OBJ_find_sigid_algs(X509_CRL_get_signature_nid(crl), &digest, nullptr) != 1 ||
           is_weak_digest(digest);
}

Result<void> check_form(const Crl& crl, std::string_view what)
{
    const auto refuse = [&](std::string_view why, std::string hint) {
        return fail(Errc::bad_input,
                    fmt::format("{}: the CRL of {} {}", what, base::printable(crl.issuer(), 200), why),
                    std::move(hint));
    };
    if (X509_CRL_get_ext_by_NID(crl.get(), NID_delta_crl, -1) >= 0)
        return refuse("is a delta CRL", "use the complete CRL");
    if (X509_CRL_get0_nextUpdate(crl.get()) == nullptr)
        return refuse("has no nextUpdate", "RFC 5280 section 5.1.2.5 requires it");
    if (has_weak_digest(crl.get()))
        return refuse("is signed with MD5 or SHA-1", "ask the CA for one that is signed with SHA-256");
    return {};
}

} // namespace

Crl Crl::adopt(X509_CRL* crl)
{
    Crl adopted;
    adopted.crl_.reset(crl, X509_CRL_free);
    return adopted;
}

std::string Crl::to_pem() const
{
    const BioPtr bio{BIO_new(BIO_s_mem())};
    if (!bio || PEM_write_bio_X509_CRL(bio.get(), get()) != 1) return {};
    return contents(bio.get());
}

std::string Crl::issuer() const
{
    return name_text(X509_CRL_get_issuer(get()));
}

base::TimePoint Crl::this_update() const
{
    return time_of(X509_CRL_get0_lastUpdate(get()));
}

base::TimePoint Crl::next_update() const
{
    return time_of(X509_CRL_get0_nextUpdate(get()));
}

std::size_t Crl::size() const
{
    const auto count = sk_X509_REVOKED_num(X509_CRL_get_REVOKED(get()));
    return count > 0 ? static_cast<std::size_t>(count) : 0;
}

bool Crl::has_issuer(const Certificate& issuer) const
{
    return X509_NAME_cmp(X509_CRL_get_issuer(get()), X509_get_subject_name(issuer.get())) == 0;
}

bool Crl::is_signed_by(const Certificate& issuer) const
{
    const PkeyPtr key{X509_get_pubkey(issuer.get())};
    const bool match = key && has_issuer(issuer) && X509_CRL_verify(get(), key.get()) == 1;
    static_cast<void>(openssl_failure(Errc::internal, {})); // "no" is an answer, not a failure
    return match;
}

Result<std::vector<Crl>> parse_crls(std::string_view text, std::string_view what)
{
    ACMETOOL_TRY(found, read_crls(text, what));
    for (const auto& crl : found)
        ACMETOOL_CHECK(check_form(crl, what));
    return std::move(found);
}

std::vector<Crl> FetchedCrls::get(const std::string& url) const
{
    const std::lock_guard lock{mutex_};
    const auto found = crls_.find(url);
    return found == crls_.end() ? std::vector<Crl>{} : found->second;
}

void FetchedCrls::put(const std::string& url, std::vector<Crl> crls)
{
    const std::lock_guard lock{mutex_};
    crls_[url] = std::move(crls);
}

bool is_crl_url(std::string_view source)
{
    return source.starts_with("http://") || source.starts_with("https://");
}

std::vector<Crl> CrlSet::current() const
{
    auto all = from_files_;
    for (const auto& url : urls_)
        if (fetched_) {
            const auto fetched = fetched_->get(url);
            all.insert(all.end(), fetched.begin(), fetched.end());
        }
    return all;
}

} // namespace acmetool::crypto
