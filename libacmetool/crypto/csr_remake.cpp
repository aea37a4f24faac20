#include "crypto/csr_remake.h"

#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "crypto/key_uri.h"
#include "crypto/openssl.h"
#include "crypto/request_parts.h"
#include "crypto/spki.h"

namespace acmetool::crypto
{
namespace
{

ReqPtr request_of(const Csr& csr)
{
    const auto* data = csr.der.data();
    return ReqPtr{d2i_X509_REQ(nullptr, &data, static_cast<long>(csr.der.size()))};
}

/// The digest of the signature of `request`, which the server may have required.
const EVP_MD* digest_of(const X509_REQ* request, const Key& key)
{
    int digest = NID_undef;
    if (digest_for(key) == nullptr ||
        OBJ_find_sigid_algs(X509_REQ_get_signature_nid(request), &digest, nullptr) != 1)
        return digest_for(key);
    const auto* const found = EVP_get_digestbynid(digest);
    return found != nullptr ? found : digest_for(key);
}

Result<void> set_challenge_password(X509_REQ* request, const std::optional<std::string>& password)
{
    for (int at = 0; (at = X509_REQ_get_attr_by_NID(request, NID_pkcs9_challengePassword, -1)) >= 0;)
        X509_ATTRIBUTE_free(X509_REQ_delete_attr(request, at));
    if (!password) return {};
    return add_challenge_password(request, *password);
}

Result<Csr> sign(X509_REQ* request, const Key& key, const EVP_MD* digest)
{
    ACMETOOL_CHECK(sign_request(request, digest, key));
    unsigned char* out = nullptr;
    const int size = i2d_X509_REQ(request, &out);
    const OpensslMemory owned{out};
    if (size <= 0) return openssl_failure(Errc::internal, "encoding the request");
    return parse_csr(as_text({out, static_cast<std::size_t>(size)}));
}

/// extnValue of the SAN in DER; empty if there is none.
Bytes alternative_names(const STACK_OF(X509_EXTENSION) * extensions)
{
    const int at = X509v3_get_ext_by_NID(extensions, NID_subject_alt_name, -1);
    if (at < 0) return {};
    const auto* value = X509_EXTENSION_get_data(X509v3_get_ext(extensions, at));
    const auto* data = ASN1_STRING_get0_data(value);
    return {data, data + ASN1_STRING_length(value)};
}

} // namespace

Result<Csr> remake_csr(const Csr& csr, const Key& key, const std::optional<std::string>& challenge_password)
{
    if (!csr.key.same_public_key(key))
        return fail(Errc::config, "the key does not belong to the request",
                    "give the key with which the request was signed", "csrKey");
    const ReqPtr request = request_of(csr);
    if (!request) return openssl_failure(Errc::internal, "reading the request");
    const auto* const digest = digest_of(request.get(), key);
    ACMETOOL_CHECK(set_challenge_password(request.get(), challenge_password));
    return sign(request.get(), key, digest);
}

Result<Csr> csr_like(const Certificate& certificate, const Key& key,
                     const std::optional<std::string>& challenge_password)
{
    const ReqPtr request{X509_REQ_new()};
    if (!request || X509_REQ_set_version(request.get(), X509_REQ_VERSION_1) != 1 ||
        X509_REQ_set_subject_name(request.get(), X509_get_subject_name(certificate.get())) != 1 ||
        !write_spki(request.get(), key))
        return openssl_failure(Errc::internal, "building a request");
    const int at = X509_get_ext_by_NID(certificate.get(), NID_subject_alt_name, -1);
    if (at >= 0) {
        const ExtensionsPtr extensions{sk_X509_EXTENSION_new_null()};
        X509_EXTENSION* const names = X509_EXTENSION_dup(X509_get_ext(certificate.get(), at));
        if (!extensions || names == nullptr || sk_X509_EXTENSION_push(extensions.get(), names) <= 0) {
            X509_EXTENSION_free(names);
            return openssl_failure(Errc::internal, "building the subject alternative name");
        }
        if (X509_REQ_add_extensions(request.get(), extensions.get()) != 1)
            return openssl_failure(Errc::internal, "adding the subject alternative name");
    }
    ACMETOOL_CHECK(set_challenge_password(request.get(), challenge_password));
    return sign(request.get(), key, digest_for(key));
}

bool asks_for_same_names(const Csr& csr, const Certificate& certificate)
{
    const ReqPtr request = request_of(csr);
    if (!request) return false;
    const ExtensionsPtr asked{X509_REQ_get_extensions(request.get())};
    const bool same_subject = X509_NAME_cmp(X509_REQ_get_subject_name(request.get()),
                                            X509_get_subject_name(certificate.get())) == 0;
    const bool same = same_subject && alternative_names(asked.get()) ==
                                          alternative_names(X509_get0_extensions(certificate.get()));
    static_cast<void>(openssl_failure(Errc::internal, {})); // "no" is an answer, not a failure
    return same;
}

} // namespace acmetool::crypto
