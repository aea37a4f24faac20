#include "crypto/request_info.h"

#include <openssl/err.h>
#include <openssl/rand.h>

#include "crypto/openssl.h"

namespace acmetool::crypto
{
namespace
{

ReqPtr read(const Csr& csr)
{
    const auto* data = csr.der.data();
    return ReqPtr{d2i_X509_REQ(nullptr, &data, static_cast<long>(csr.der.size()))};
}

using UsagePtr = Owned<EXTENDED_KEY_USAGE, EXTENDED_KEY_USAGE_free>;
using AttributePtr = Owned<X509_ATTRIBUTE, X509_ATTRIBUTE_free>;

} // namespace

Bytes sha256(ByteView data)
{
    Bytes digest(32);
    EVP_Digest(data.data(), data.size(), digest.data(), nullptr, EVP_sha256(), nullptr);
    return digest;
}

Bytes random_bytes(std::size_t count)
{
    Bytes octets(count);
    if (RAND_bytes(octets.data(), static_cast<int>(count)) != 1) std::abort(); // never without randomness
    return octets;
}

Result<Bytes> info_digest(const Csr& csr)
{
    const ReqPtr request = read(csr);
    if (!request) return openssl_failure(Errc::bad_input, "not a certificate request");
    for (int at = 0; (at = X509_REQ_get_attr_by_NID(request.get(), NID_pkcs9_challengePassword, -1)) >= 0;)
        const AttributePtr removed{X509_REQ_delete_attr(request.get(), at)};
    unsigned char* out = nullptr;
    const int size = i2d_re_X509_REQ_tbs(request.get(), &out);
    const OpensslMemory owned{out};
    if (size <= 0) return openssl_failure(Errc::internal, "encoding a request");
    return sha256({out, static_cast<std::size_t>(size)});
}

bool same_subject(const Csr& csr, const Certificate& certificate)
{
    const ReqPtr request = read(csr);
    return request && X509_NAME_cmp(X509_REQ_get_subject_name(request.get()),
                                    X509_get_subject_name(certificate.get())) == 0;
}

bool has_extended_key_usage(const Certificate& certificate, const std::string& oid)
{
    const UsagePtr usages{static_cast<EXTENDED_KEY_USAGE*>(
        X509_get_ext_d2i(certificate.get(), NID_ext_key_usage, nullptr, nullptr))};
    if (!usages) return false;
    for (int i = 0; i < sk_ASN1_OBJECT_num(usages.get()); ++i) {
        char text[80] = {};
        OBJ_obj2txt(text, sizeof text, sk_ASN1_OBJECT_value(usages.get(), i), 1);
        if (oid == text) return true;
    }
    return false;
}

bool is_self_signed(const Certificate& certificate)
{
    const bool self = X509_self_signed(certificate.get(), 1) == 1;
    ERR_clear_error(); // "no" is an answer, not a failure
    return self;
}

} // namespace acmetool::crypto
