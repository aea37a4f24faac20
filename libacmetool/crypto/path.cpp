#include "crypto/path.h"

#include <algorithm>
#include <array>

#include <fmt/core.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "crypto/openssl.h"
#include "crypto/path_run.h"

namespace acmetool::crypto
{
namespace
{

using StorePtr = Owned<X509_STORE, X509_STORE_free>;
using UsagePtr = Owned<EXTENDED_KEY_USAGE, EXTENDED_KEY_USAGE_free>;

Result<StorePtr> make_store(const TrustAnchors& anchors)
{
    StorePtr store{X509_STORE_new()};
    if (!store) return openssl_failure(Errc::internal, "preparing trust anchors");
    for (const auto& anchor : anchors.certificates)
        if (X509_STORE_add_cert(store.get(), anchor.get()) != 1)
            return openssl_failure(Errc::internal, "preparing trust anchors");
    if (!anchors.file.empty() && X509_STORE_load_file(store.get(), anchors.file.c_str()) != 1) {
        auto failure = openssl_failure(
            Errc::config, fmt::format("CA file {}: cannot be read as PEM certificates", anchors.file),
            "expected a PEM file with trust anchors");
        failure.value().reason = "caFile";
        return failure;
    }
    if (anchors.system && X509_STORE_set_default_paths(store.get()) != 1)
        return openssl_failure(Errc::config, "the system's trust anchors cannot be read");
    return store;
}

} // namespace

Result<std::vector<Certificate>> verify_path(const Certificate& certificate,
                                             const std::vector<Certificate>& others,
                                             const TrustAnchors& anchors, const PathPolicy& policy)
{
    ACMETOOL_TRY(store, make_store(anchors));
    return run_path(store.get(), certificate, others, policy);
}

std::vector<Certificate> issuer_chain(const Certificate& certificate, const std::vector<Certificate>& known,
                                      ChainEnd end)
{
    constexpr std::size_t kLongest = 10;
    std::vector<Certificate> chain{certificate};
    const auto is_issuer = [&](const Certificate& one) {
        const auto is_same = [&](const Certificate& other) { return one.sha256() == other.sha256(); };
        return chain.back().is_issued_by(one) && is_ca(one) &&
               std::none_of(chain.begin(), chain.end(), is_same);
    };
    const auto is_root = [&](const Certificate& one) { return is_issuer(one) && is_self_signed(one); };
    while (chain.size() < kLongest && !is_self_signed(chain.back())) {
        if (const auto root = std::find_if(known.begin(), known.end(), is_root); root != known.end()) {
            if (end == ChainEnd::root) chain.push_back(*root);
            break;
        }
        const auto issuer = std::find_if(known.begin(), known.end(), is_issuer);
        if (issuer == known.end()) break;
        chain.push_back(*issuer);
    }
    return chain;
}

std::vector<Certificate> complete_chain(std::vector<Certificate> chain, const std::vector<Certificate>& known)
{
    if (chain.empty()) return chain;
    const auto above = issuer_chain(chain.back(), known, ChainEnd::below_root);
    chain.insert(chain.end(), above.begin() + 1, above.end());
    return chain;
}

std::string time_fault(const Certificate& certificate, base::TimePoint now)
{
    const auto begin = certificate.not_before();
    const auto end = certificate.not_after();
    if (begin <= now && now < end) return {};
    return fmt::format("{} {}, and this clock is at {}",
                       now < begin ? "it is not valid before" : "it expired at",
                       base::to_rfc3339(now < begin ? begin : end), base::to_rfc3339(now));
}

bool is_valid_for(const Certificate& certificate, std::string_view host)
{
    const std::string name{host.substr(0, host.find('%'))}; // a zone is this host's name of a link
    int match = X509_check_ip_asc(certificate.get(), name.c_str(), 0);
    if (match == -2) // not an IP address
        match = X509_check_host(certificate.get(), name.data(), name.size(),
                                X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS,
                                nullptr);
    static_cast<void>(openssl_failure(Errc::internal, {})); // "no" is an answer, not a failure
    return match == 1;
}

namespace
{

/// What a purpose asks of the extendedKeyUsage: one of these.
struct Usages {
    std::vector<std::string_view> oids; ///< empty: nothing
    std::string_view names;
    bool required = false; ///< the extension must be there
};

Usages usages_of(Purpose purpose)
{
    switch (purpose) {
    case Purpose::identity:
        return {{kClientAuthPurpose, kAnyPurpose}, "clientAuth or anyExtendedKeyUsage"};
    case Purpose::registrar:
        return {{kServerAuthPurpose, kCmcRaPurpose, kAnyPurpose},
                "serverAuth, id-kp-cmcRA or anyExtendedKeyUsage"};
    case Purpose::registration_authority:
        return {{kCmcRaPurpose}, "id-kp-cmcRA", true};
    case Purpose::any:
    case Purpose::tls_server:
    case Purpose::signer:
        break;
    }
    return {};
}

} // namespace

Result<void> check_purpose(const Certificate& certificate, Purpose purpose)
{
    if (purpose == Purpose::any || purpose == Purpose::tls_server) return {};
    const auto refuse = [&](std::string what) {
        return fail(Errc::refused, fmt::format("{} ({})", what, place_in_path(certificate.subject(), 0)), {},
                    "purpose");
    };
    const auto extensions = X509_get_extension_flags(certificate.get());
    if ((extensions & EXFLAG_INVALID) != 0) return refuse("an extension cannot be read");
    if ((X509_get_key_usage(certificate.get()) & KU_DIGITAL_SIGNATURE) ==
        0) // all bits are set if it is absent
        return refuse("the keyUsage lacks digitalSignature");
    const auto wanted = usages_of(purpose);
    if (wanted.oids.empty() || (!wanted.required && (extensions & EXFLAG_XKUSAGE) == 0)) return {};
    if (std::none_of(wanted.oids.begin(), wanted.oids.end(),
                     [&](auto oid) { return has_extended_key_usage(certificate, oid); }))
        return refuse(fmt::format("the extendedKeyUsage lacks {}", wanted.names));
    return {};
}

bool has_extended_key_usage(const Certificate& certificate, std::string_view oid)
{
    const UsagePtr usages{static_cast<EXTENDED_KEY_USAGE*>(
        X509_get_ext_d2i(certificate.get(), NID_ext_key_usage, nullptr, nullptr))};
    std::array<char, 80> text{};
    for (int i = 0; i < sk_ASN1_OBJECT_num(usages.get()); ++i) {
        const int size =
            OBJ_obj2txt(text.data(), text.size(), sk_ASN1_OBJECT_value(usages.get(), i), 1 /* dotted */);
        if (size > 0 && oid == text.data()) return true;
    }
    static_cast<void>(openssl_failure(Errc::internal, {}));
    return false;
}

bool is_self_signed(const Certificate& certificate)
{
    return X509_NAME_cmp(X509_get_subject_name(certificate.get()), X509_get_issuer_name(certificate.get())) ==
               0 &&
           certificate.is_issued_by(certificate);
}

bool is_key_update(const Certificate& certificate, const std::vector<Certificate>& roots)
{
    return !is_self_signed(certificate) &&
           std::any_of(roots.begin(), roots.end(), [&](const Certificate& root) {
               return X509_NAME_cmp(X509_get_subject_name(certificate.get()),
                                    X509_get_subject_name(root.get())) == 0 &&
                      certificate.public_key().same_public_key(root.public_key()) && is_self_signed(root);
           });
}

bool is_ca(const Certificate& certificate)
{
    return X509_check_ca(certificate.get()) != 0;
}

} // namespace acmetool::crypto
