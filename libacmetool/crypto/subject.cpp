#include "crypto/subject.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "crypto/openssl.h"

namespace acmetool::crypto
{
namespace
{

using ObjectPtr = Owned<ASN1_OBJECT, ASN1_OBJECT_free>;

ObjectPtr object_of(const std::string& type)
{
    ObjectPtr object{OBJ_txt2obj(type.c_str(), 0)};
    ERR_clear_error();
    return object;
}

} // namespace

bool is_attribute_type(const std::string& type)
{
    return object_of(type) != nullptr;
}

std::string short_name(const std::string& oid)
{
    const int nid = OBJ_txt2nid(oid.c_str());
    ERR_clear_error();
    return nid == NID_undef ? oid : OBJ_nid2sn(nid);
}

std::vector<std::optional<std::string>> subject_values(const Certificate& certificate,
                                                       const std::string& type)
{
    std::vector<std::optional<std::string>> values;
    const auto object = object_of(type);
    if (!object) return values;
    const X509_NAME* const subject = X509_get_subject_name(certificate.get());
    for (int at = -1; (at = X509_NAME_get_index_by_OBJ(subject, object.get(), at)) >= 0;) {
        auto text = utf8_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
        values.push_back(text.empty() ? std::nullopt : std::optional{std::move(text)});
    }
    return values;
}

std::vector<Bytes> other_names(const Certificate& certificate, const std::string& type)
{
    std::vector<Bytes> values;
    const auto wanted = object_of(type);
    const GeneralNamesPtr names{static_cast<GENERAL_NAMES*>(
        X509_get_ext_d2i(certificate.get(), NID_subject_alt_name, nullptr, nullptr))};
    for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
        const GENERAL_NAME* const name = sk_GENERAL_NAME_value(names.get(), i);
        if (name->type != GEN_OTHERNAME || OBJ_cmp(name->d.otherName->type_id, wanted.get()) != 0) continue;
        unsigned char* out = nullptr;
        const int size = i2d_ASN1_TYPE(name->d.otherName->value, &out);
        const OpensslMemory owned{out};
        if (size > 0) values.emplace_back(out, out + size);
    }
    ERR_clear_error();
    return values;
}

} // namespace acmetool::crypto
