#include "crypto/extension.h"

#include <string>

#include "crypto/openssl.h"

namespace acmetool::crypto
{
namespace
{

using ObjectPtr = Owned<ASN1_OBJECT, ASN1_OBJECT_free>;

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

std::string issuer_common_name(const Certificate& certificate)
{
    const X509_NAME* issuer = X509_get_issuer_name(certificate.get());
    int last = -1;
    for (int at = -1; (at = X509_NAME_get_index_by_NID(issuer, NID_commonName, at)) >= 0;)
        last = at;
    if (last < 0) return {};
    unsigned char* text = nullptr;
    const int size = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(issuer, last)));
    const OpensslMemory owned{text};
    return size < 0 ? std::string{}
                    : std::string{reinterpret_cast<const char*>(text), static_cast<std::size_t>(size)};
}

} // namespace acmetool::crypto
