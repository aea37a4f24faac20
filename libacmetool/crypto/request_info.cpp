#include "crypto/request_info.h"

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

} // namespace acmetool::crypto
