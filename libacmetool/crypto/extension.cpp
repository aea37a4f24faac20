#include "crypto/extension.h"

#include <algorithm>
#include <string>

#include <openssl/x509v3.h>

#include "crypto/openssl.h"

namespace acmetool::crypto
{
namespace
{

using ObjectPtr = Owned<ASN1_OBJECT, ASN1_OBJECT_free>;
using AccessPtr = Owned<AUTHORITY_INFO_ACCESS, AUTHORITY_INFO_ACCESS_free>;

Bytes octets_of(const ASN1_STRING* string)
{
    const auto* data = ASN1_STRING_get0_data(string);
    return {data, data + ASN1_STRING_length(string)};
}

} // namespace

std::optional<Bytes> extension_value(const Certificate& certificate, std::string_view oid)
{
    const ObjectPtr object{OBJ_txt2obj(std::string{oid}.c_str(), 1)};
    if (!object) return std::nullopt;
    const int at = X509_get_ext_by_OBJ(certificate.get(), object.get(), -1);
    if (at < 0) return std::nullopt;
    return octets_of(X509_EXTENSION_get_data(X509_get_ext(certificate.get(), at)));
}

std::optional<Bytes> subject_key_id(const Certificate& certificate)
{
    const auto* given = X509_get0_subject_key_id(certificate.get());
    if (given == nullptr) return std::nullopt;
    return octets_of(given);
}

std::vector<std::string> issuer_urls(const Certificate& certificate)
{
    constexpr std::size_t kMost = 5;
    const AccessPtr access{static_cast<AUTHORITY_INFO_ACCESS*>(
        X509_get_ext_d2i(certificate.get(), NID_info_access, nullptr, nullptr))};
    std::vector<std::string> urls;
    for (int i = 0; i < sk_ACCESS_DESCRIPTION_num(access.get()) && urls.size() < kMost; ++i) {
        const auto* one = sk_ACCESS_DESCRIPTION_value(access.get(), i);
        if (OBJ_obj2nid(one->method) != NID_ad_ca_issuers || one->location->type != GEN_URI) continue;
        const auto octets = octets_of(one->location->d.uniformResourceIdentifier);
        std::string url{as_text(octets)};
        const bool plain = std::all_of(url.begin(), url.end(), [](char c) { return c > ' ' && c < '\x7f'; });
        if (plain && url.starts_with("http://")) urls.push_back(std::move(url));
    }
    static_cast<void>(openssl_failure(Errc::internal, {})); // none is an answer
    return urls;
}

std::string issuer_common_name(const Certificate& certificate)
{
    const X509_NAME* issuer = X509_get_issuer_name(certificate.get());
    int last = -1;
    for (int at = -1; (at = X509_NAME_get_index_by_NID(issuer, NID_commonName, at)) >= 0;)
        last = at;
    return last < 0 ? std::string{} : utf8_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(issuer, last)));
}

} // namespace acmetool::crypto
