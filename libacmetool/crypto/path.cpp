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
    ACMETOOL_TRY(run, run_path(store.get(), certificate, others, policy));
    const auto* const context = run.context.get();
    if (!run.valid) {
        const auto depth = X509_STORE_CTX_get_error_depth(context);
        X509* const at = X509_STORE_CTX_get_current_cert(context);
        std::string subject;
        if (at != nullptr && X509_up_ref(at) == 1) subject = Certificate::adopt(at).subject();
        return fail(Errc::refused,
                    fmt::format("{} ({} at depth {})",
                                X509_verify_cert_error_string(X509_STORE_CTX_get_error(context)),
                                subject.empty() ? "a certificate without subject" : subject, depth),
                    {}, "path");
    }
    std::vector<Certificate> path;
    const STACK_OF(X509)* chain = X509_STORE_CTX_get0_chain(context);
    for (int i = 0; i < sk_X509_num(chain); ++i) {
        X509* const x509 = sk_X509_value(chain, i);
        if (X509_up_ref(x509) == 1) path.push_back(Certificate::adopt(x509));
    }
    return path;
}

std::vector<Certificate> issuer_chain(const Certificate& certificate, const std::vector<Certificate>& known,
                                      ChainEnd end)
{
    constexpr std::size_t kLongest = 10;
    std::vector<Certificate> chain{certificate};
    const auto is_next = [&](const Certificate& one) {
        const auto is_same = [&](const Certificate& other) { return one.sha256() == other.sha256(); };
        return chain.back().is_issued_by(one) && is_ca(one) &&
               std::none_of(chain.begin(), chain.end(), is_same) &&
               (end == ChainEnd::root || !is_self_signed(one));
    };
    while (chain.size() < kLongest) {
        const auto issuer = std::find_if(known.begin(), known.end(), is_next);
        if (issuer == known.end()) break;
        chain.push_back(*issuer);
    }
    return chain;
}

bool is_valid_for(const Certificate& certificate, std::string_view host)
{
    const std::string name{host};
    int match = X509_check_ip_asc(certificate.get(), name.c_str(), 0);
    if (match == -2) // not an IP address
        match = X509_check_host(certificate.get(), name.data(), name.size(),
                                X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS,
                                nullptr);
    static_cast<void>(openssl_failure(Errc::internal, {})); // "no" is an answer, not a failure
    return match == 1;
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

bool is_ca(const Certificate& certificate)
{
    return X509_check_ca(certificate.get()) != 0;
}

} // namespace acmetool::crypto
