#include "crypto/cms.h"

#include <algorithm>

#include <fmt/core.h>
#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/pkcs7.h>

#include "crypto/certificate_context.h"
#include "crypto/der.h"
#include "crypto/digest_strength.h"
#include "crypto/key_size.h"
#include "crypto/openssl.h"

namespace acmetool::crypto
{
namespace
{

constexpr std::size_t kMostInMessage = 100;

void free_certificates(STACK_OF(X509) * stack) noexcept
{
    sk_X509_pop_free(stack, X509_free);
}
void free_borrowed_certificates(STACK_OF(X509) * stack) noexcept
{
    sk_X509_free(stack);
}

using CmsPtr = Owned<CMS_ContentInfo, CMS_ContentInfo_free>;
using Pkcs7Ptr = Owned<PKCS7, PKCS7_free>;
using CertificatesPtr = Owned<STACK_OF(X509), free_certificates>;
using BorrowedCertificatesPtr = Owned<STACK_OF(X509), free_borrowed_certificates>;
using ObjectPtr = Owned<ASN1_OBJECT, ASN1_OBJECT_free>;

tl::unexpected<Error> not_cms(std::string_view what, std::string reason, std::string hint = {})
{
    auto failure = openssl_failure(Errc::protocol, what, std::move(hint));
    failure.value().reason = std::move(reason);
    return failure;
}

Certificate share(X509* x509)
{
    X509_up_ref(x509);
    return Certificate::adopt(x509);
}

bool has_unreadable_key(CMS_ContentInfo* message)
{
    const CertificatesPtr stack{CMS_get1_certs(message)};
    for (int i = 0; stack && i < sk_X509_num(stack.get()); ++i)
        if (X509_get0_pubkey(sk_X509_value(stack.get(), i)) == nullptr) return true;
    return false;
}

/// A SignedData that fills `der`; null where there is none.
CmsPtr read_message(ByteView der)
{
    if (der.empty() || der.size() > kLargestCms) return nullptr;
    for (auto* context : {certificate_context(), static_cast<OSSL_LIB_CTX*>(nullptr)}) {
        const auto* data = der.data();
        CMS_ContentInfo* filled = CMS_ContentInfo_new_ex(context, nullptr);
        // A failure frees what it was to fill.
        if (filled == nullptr ||
            d2i_CMS_ContentInfo(&filled, &data, static_cast<long>(der.size())) == nullptr)
            return nullptr;
        CmsPtr message{filled};
        if (data != der.data() + der.size() || OBJ_obj2nid(CMS_get0_type(filled)) != NID_pkcs7_signed)
            return nullptr;
        if (context == nullptr || !has_unreadable_key(filled)) return message;
    }
    return nullptr;
}

Result<std::vector<Certificate>> certificates_of(CMS_ContentInfo* message, const char* reason)
{
    const CertificatesPtr stack{CMS_get1_certs(message)};
    const int count = stack ? sk_X509_num(stack.get()) : 0;
    if (static_cast<std::size_t>(count) > kMostInMessage)
        return not_cms(fmt::format("more than {} certificates in one message", kMostInMessage), reason);
    std::vector<Certificate> found;
    for (int i = 0; i < count; ++i) {
        X509* x509 = sk_X509_value(stack.get(), i);
        if (X509_get0_pubkey(x509) == nullptr)
            return not_cms("a certificate in the message has a public key that cannot be read", reason);
        found.push_back(share(x509));
    }
    ERR_clear_error();
    return found;
}

/// OpenSSL verifies signatures with any digest.
Result<void> check_digests(CMS_ContentInfo* message)
{
    const auto* signers = CMS_get0_SignerInfos(message);
    for (int i = 0; signers != nullptr && i < sk_CMS_SignerInfo_num(signers); ++i) {
        X509_ALGOR* algorithm = nullptr;
        CMS_SignerInfo_get0_algs(sk_CMS_SignerInfo_value(signers, i), nullptr, nullptr, &algorithm, nullptr);
        const ASN1_OBJECT* digest = nullptr;
        X509_ALGOR_get0(&digest, nullptr, nullptr, algorithm);
        if (const int nid = OBJ_obj2nid(digest); is_weak_digest(nid))
            return fail(Errc::protocol, fmt::format("{} is too weak", OBJ_nid2ln(nid)));
    }
    return {};
}

/// Checks the keys of all signers before any of them is used.
Result<void> check_signers(CMS_ContentInfo* message, const std::vector<Certificate>& candidates)
{
    const auto* signers = CMS_get0_SignerInfos(message);
    for (int i = 0; signers != nullptr && i < sk_CMS_SignerInfo_num(signers); ++i)
        for (const auto& candidate : candidates)
            if (CMS_SignerInfo_cert_cmp(sk_CMS_SignerInfo_value(signers, i), candidate.get()) == 0)
                ACMETOOL_CHECK(check_key_size(candidate.public_key()));
    return {};
}

template <class Stack>
Stack stack_of(const std::vector<Certificate>& certificates)
{
    Stack stack{sk_X509_new_null()};
    for (const auto& certificate : certificates)
        if (stack) sk_X509_push(stack.get(), certificate.get());
    return stack;
}

} // namespace

Result<Bytes> to_certs_only(const std::vector<Certificate>& certificates)
{
    // PKCS7, because OpenSSL 3.0's CMS interface cannot create SignedData without a signer or content.
    const Pkcs7Ptr message{PKCS7_new()};
    if (!message || PKCS7_set_type(message.get(), NID_pkcs7_signed) != 1)
        return openssl_failure(Errc::internal, "building a certs-only message");
    message->d.sign->contents->type = OBJ_nid2obj(NID_pkcs7_data);
    for (const auto& certificate : certificates)
        if (PKCS7_add_certificate(message.get(), certificate.get()) != 1)
            return openssl_failure(Errc::internal, "building a certs-only message");
    unsigned char* out = nullptr;
    const int size = i2d_PKCS7(message.get(), &out);
    const OpensslMemory owned{out};
    if (size <= 0) return openssl_failure(Errc::internal, "encoding a certs-only message");
    return Bytes(out, out + size);
}

Result<std::vector<Certificate>> parse_certs_only(ByteView der)
{
    constexpr const char* kReason = "notCertsOnly";
    if (der.size() > kLargestCms)
        return not_cms(fmt::format("certificates: more than {} octets", kLargestCms), kReason);
    const CmsPtr message = read_message(der);
    if (!message) {
        ERR_clear_error();
        const auto* data = der.data();
        const auto bare = read_certificate(&data, der.size());
        if (bare && data == der.data() + der.size() && X509_get0_pubkey(bare->get()) != nullptr)
            return std::vector<Certificate>{*bare};
        ERR_clear_error();
        return not_cms("not a certs-only message", kReason,
                       "expected SignedData (RFC 5652) with certificates");
    }
    const ASN1_OBJECT* type = CMS_get0_eContentType(message.get());
    if (OBJ_obj2nid(type) != NID_pkcs7_data)
        return not_cms(fmt::format("content of type {} instead of certificates", dotted(type)), kReason);
    ACMETOOL_TRY(found, certificates_of(message.get(), kReason));
    if (found.empty()) return not_cms("a certs-only message without certificates", kReason);
    return std::move(found);
}

Result<Bytes> sign_data(const Key& key, const Certificate& signer, const SignedDataOptions& options)
{
    constexpr unsigned kFlags = CMS_BINARY | CMS_PARTIAL | CMS_NOSMIMECAP;
    const ObjectPtr type{OBJ_txt2obj(options.content_type.c_str(), 1)};
    const CmsPtr message{CMS_sign(nullptr, nullptr, nullptr, nullptr, kFlags)};
    const BioPtr content = memory_bio(as_text(options.content));
    if (!type || !message || !content || CMS_set1_eContentType(message.get(), type.get()) != 1)
        return openssl_failure(Errc::internal, "building signed data");
    if (X509_check_private_key(signer.get(), key.get()) != 1)
        return openssl_failure(Errc::config, "the signer's key does not belong to its certificate");
    if (CMS_add1_signer(message.get(), signer.get(), key.get(), nullptr, kFlags) == nullptr)
        return openssl_failure(Errc::config, "signing with this key");
    std::vector<Certificate> sent{signer};
    for (const auto& certificate : options.certificates) {
        // OpenSSL refuses to put a certificate in twice.
        if (std::any_of(sent.begin(), sent.end(),
                        [&](const Certificate& c) { return X509_cmp(c.get(), certificate.get()) == 0; }))
            continue;
        if (CMS_add1_cert(message.get(), certificate.get()) != 1)
            return openssl_failure(Errc::internal, "building signed data");
        sent.push_back(certificate);
    }
    if (CMS_final(message.get(), content.get(), nullptr, kFlags) != 1)
        return openssl_failure(Errc::config, "signing with this key");
    unsigned char* out = nullptr;
    const int size = i2d_CMS_ContentInfo(message.get(), &out);
    const OpensslMemory owned{out};
    if (size <= 0) return openssl_failure(Errc::internal, "encoding signed data");
    return Bytes(out, out + size);
}

Result<SignedData> parse_signed_data(ByteView der)
{
    constexpr const char* kReason = "notSignedData";
    CmsPtr message = read_message(der);
    if (!message) return not_cms("not signed data", kReason, "expected SignedData (RFC 5652 section 5)");
    ACMETOOL_TRY(certificates, certificates_of(message.get(), kReason));
    SignedData data{.message = nullptr,
                    .content_type = dotted(CMS_get0_eContentType(message.get())),
                    .content = {},
                    .certificates = std::move(certificates)};
    ASN1_OCTET_STRING** content = CMS_get0_content(message.get());
    if (content != nullptr && *content != nullptr) {
        const auto* octets = ASN1_STRING_get0_data(*content);
        data.content.assign(octets, octets + ASN1_STRING_length(*content));
    }
    const auto* signers = CMS_get0_SignerInfos(message.get());
    if (signers != nullptr) data.signers = static_cast<std::size_t>(sk_CMS_SignerInfo_num(signers));
    data.message = std::move(message);
    ERR_clear_error();
    return data;
}

namespace
{

constexpr std::string_view kIdSignedData = "1.2.840.113549.1.7.2"; // RFC 5652 section 5.1

Result<SignedContent> read_signed_content(ByteView message)
{
    ACMETOOL_CHECK(der::check_nesting(message));
    der::Reader outer{message};
    ACMETOOL_TRY(content_info, outer.expect(der::kSequence, "ContentInfo"));
    ACMETOOL_CHECK(outer.end("ContentInfo"));
    der::Reader info{content_info.value};
    ACMETOOL_TRY(type, info.expect(der::kOid, "contentType"));
    ACMETOOL_TRY(name, der::oid_text(type.value));
    if (name != kIdSignedData) return fail(Errc::protocol, "content of type " + name);
    ACMETOOL_TRY(wrapped, info.expect(der::context(0), "content"));
    der::Reader inside{wrapped.value};
    ACMETOOL_TRY(signed_data, inside.expect(der::kSequence, "SignedData"));
    der::Reader members{signed_data.value};
    ACMETOOL_CHECK(members.expect(der::kInteger, "version"));
    ACMETOOL_CHECK(members.expect(der::kSet, "digestAlgorithms"));
    ACMETOOL_TRY(encapsulated, members.expect(der::kSequence, "encapContentInfo"));
    der::Reader parts{encapsulated.value};
    ACMETOOL_TRY(content_type, parts.expect(der::kOid, "eContentType"));
    ACMETOOL_TRY(content_name, der::oid_text(content_type.value));
    ACMETOOL_TRY(explicit_content, parts.expect(der::context(0), "eContent"));
    der::Reader octets{explicit_content.value};
    ACMETOOL_TRY(content, octets.expect(der::kOctetString, "eContent"));
    return SignedContent{std::move(content_name), {content.value.begin(), content.value.end()}};
}

} // namespace

Result<SignedContent> parse_signed_content(ByteView der)
{
    auto found = der.size() > kLargestCms ? fail(Errc::protocol, "too large") : read_signed_content(der);
    if (found) return found;
    return fail(Errc::protocol, "not signed data: " + found.error().message, {}, "notSignedData");
}

Result<std::vector<Certificate>> verify_signed_data(const SignedData& message,
                                                    const std::vector<Certificate>& more)
{
    constexpr const char* kReason = "cmsSignature";
    CMS_ContentInfo* const cms = message.message.get();
    const BorrowedCertificatesPtr extra = stack_of<BorrowedCertificatesPtr>(more);
    const BioPtr out{BIO_new(BIO_s_mem())};
    if (cms == nullptr || !extra || !out) return not_cms("not signed data", kReason);
    if (message.signers == 0) return not_cms("the message has no signer", kReason);
    for (const auto* candidates : {&message.certificates, &more})
        if (const auto bounded = check_signers(cms, *candidates); !bounded)
            return not_cms("the signer's key: " + bounded.error().message, kReason);
    if (const auto strong = check_digests(cms); !strong)
        return not_cms("the signature's digest: " + strong.error().message, kReason);
    // CMS_NO_SIGNER_CERT_VERIFY only omits the path: content digest and signatures are checked.
    if (CMS_verify(cms, extra.get(), nullptr, nullptr, out.get(), CMS_BINARY | CMS_NO_SIGNER_CERT_VERIFY) !=
        1)
        return not_cms("the message's signature does not verify", kReason);
    const BorrowedCertificatesPtr signers{CMS_get0_signers(cms)};
    std::vector<Certificate> found;
    for (int i = 0; signers && i < sk_X509_num(signers.get()); ++i)
        found.push_back(share(sk_X509_value(signers.get(), i)));
    if (found.size() != message.signers) return not_cms("a signer's certificate is missing", kReason);
    ERR_clear_error();
    return found;
}

} // namespace acmetool::crypto
