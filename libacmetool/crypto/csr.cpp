#include "crypto/csr.h"

#include <algorithm>
#include <climits>

#include <fmt/core.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/text.h"
#include "crypto/der.h"
#include "crypto/general_names.h"
#include "crypto/key_size.h"
#include "crypto/key_uri.h"
#include "crypto/oids.h"
#include "crypto/openssl.h"
#include "crypto/request_parts.h"
#include "crypto/spki.h"

namespace acmetool::crypto
{
namespace
{

constexpr std::size_t kLongestCommonName = 64; // RFC 5280 appendix A.1, ub-common-name
constexpr std::size_t kLongestPassword = 255;  // RFC 2985 section 5.4.1

tl::unexpected<Error> bad_csr(std::string_view what, std::string reason, std::string hint = {})
{
    auto failure = openssl_failure(Errc::bad_input, what, std::move(hint));
    failure.value().reason = std::move(reason);
    return failure;
}

/// The octets of a request in PEM with either common label, or `text` itself; nothing if there is no such
/// PEM.
std::optional<Bytes> octets_of(std::string_view text)
{
    if (text.find("-----BEGIN") == std::string_view::npos)
        return Bytes{as_bytes(text).begin(), as_bytes(text).end()};
    const BioPtr bio = memory_bio(text);
    unsigned char* data = nullptr;
    long size = 0;
    if (!bio ||
        PEM_bytes_read_bio(&data, &size, nullptr, PEM_STRING_X509_REQ, bio.get(), nullptr, nullptr) != 1)
        return std::nullopt;
    const OpensslMemory owned{data};
    return Bytes(data, data + size);
}

std::string common_name_of(const X509_NAME* subject)
{
    const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    return at < 0 ? std::string{} : utf8_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
}

std::optional<std::string> challenge_password_of(const STACK_OF(X509_ATTRIBUTE) * attributes)
{
    const int at = X509at_get_attr_by_NID(attributes, NID_pkcs9_challengePassword, -1);
    if (at < 0) return std::nullopt;
    // RFC 2985 section 5.4.1: "SINGLE VALUE TRUE". With two of them, readers could choose different ones.
    const bool several = X509at_get_attr_by_NID(attributes, NID_pkcs9_challengePassword, at) >= 0 ||
                         X509_ATTRIBUTE_count(X509at_get_attr(attributes, at)) != 1;
    const ASN1_TYPE* value = X509_ATTRIBUTE_get0_type(X509at_get_attr(attributes, at), 0);
    if (several || value == nullptr ||
        (value->type != V_ASN1_PRINTABLESTRING && value->type != V_ASN1_UTF8STRING &&
         value->type != V_ASN1_T61STRING && value->type != V_ASN1_IA5STRING))
        return std::string{}; // present but malformed: never equal to any binding
    return utf8_of(value->value.asn1_string);
}

constexpr const char* kExpected = "expected PKCS#10 in PEM (-----BEGIN CERTIFICATE REQUEST-----) or DER";

/// Types may repeat.
Result<AttributesPtr> read_attributes(const RequestParts& parts)
{
    AttributesPtr attributes{sk_X509_ATTRIBUTE_new_null()};
    for (const auto octets : parts.attributes) {
        const auto* data = octets.data();
        AttributePtr attribute{d2i_X509_ATTRIBUTE(nullptr, &data, static_cast<long>(octets.size()))};
        if (!attribute || sk_X509_ATTRIBUTE_push(attributes.get(), attribute.get()) <= 0)
            return bad_csr("an attribute of the request cannot be read", "notACsr", kExpected);
        static_cast<void>(attribute.release());
    }
    return attributes;
}

/// The first extensionRequest, or Microsoft's attribute for it where there is none; null if that is no list
/// of extensions.
ExtensionsPtr requested_extensions(const STACK_OF(X509_ATTRIBUTE) * attributes)
{
    for (const int nid : {NID_ext_req, NID_ms_ext_req}) {
        const int at = X509at_get_attr_by_NID(attributes, nid, -1);
        if (at < 0) continue;
        const ASN1_TYPE* value = X509_ATTRIBUTE_get0_type(X509at_get_attr(attributes, at), 0);
        if (value == nullptr || value->type != V_ASN1_SEQUENCE) return nullptr;
        const unsigned char* data = value->value.sequence->data;
        return ExtensionsPtr{d2i_X509_EXTENSIONS(nullptr, &data, value->value.sequence->length)};
    }
    return nullptr;
}

/// RFC 2986: the request is signed with the key to certify.
Result<void> check_possession(const RequestParts& parts, const Key& key)
{
    const auto* data = parts.algorithm.data();
    const Owned<X509_ALGOR, X509_ALGOR_free> algorithm{
        d2i_X509_ALGOR(nullptr, &data, static_cast<long>(parts.algorithm.size()))};
    data = parts.signature.data();
    const Owned<ASN1_BIT_STRING, ASN1_BIT_STRING_free> signature{
        d2i_ASN1_BIT_STRING(nullptr, &data, static_cast<long>(parts.signature.size()))};
    data = parts.info.data();
    const Owned<ASN1_TYPE, ASN1_TYPE_free> info{
        d2i_ASN1_TYPE(nullptr, &data, static_cast<long>(parts.info.size()))};
    if (!algorithm || !signature || !info)
        return bad_csr("the request's signature cannot be read", "notACsr", kExpected);
    if (ASN1_item_verify(ASN1_ITEM_rptr(ASN1_ANY), algorithm.get(), signature.get(), info.get(), key.get()) !=
        1)
        return bad_csr("the request's signature does not verify", "csrSignature",
                       "it was modified after signing or signed with another key");
    return {};
}

/// `der` is in DER.
Result<Csr> read_csr(Bytes der)
{
    const auto parts = read_request_parts(der);
    if (!parts)
        return fail(Errc::bad_input, fmt::format("not a certificate request: {}", parts.error().message),
                    kExpected, "notACsr");
    const auto subject = read_name(parts->subject);
    if (!subject) return bad_csr("the request's subject cannot be read", "notACsr", kExpected);
    ACMETOOL_TRY(attributes, read_attributes(*parts));
    auto key = read_spki(parts->key);
    if (!key)
        return fail(Errc::bad_input, "the request: " + key.error().message, key.error().hint, "notACsr");
    ACMETOOL_CHECK(check_key_size(*key));
    ACMETOOL_CHECK(check_possession(*parts, *key));
    Csr csr{.der = {},
            .key = std::move(*key),
            .identifiers = {},
            .common_name = common_name_of(subject.get()),
            .other_names = {},
            .challenge_password = challenge_password_of(attributes.get())};
    const auto extensions = requested_extensions(attributes.get());
    const int count = extensions ? sk_X509_EXTENSION_num(extensions.get()) : 0;
    int names_seen = 0;
    for (int i = 0; i < count; ++i) {
        X509_EXTENSION* extension = sk_X509_EXTENSION_value(extensions.get(), i);
        if (OBJ_obj2nid(X509_EXTENSION_get_object(extension)) != NID_subject_alt_name) continue;
        const GeneralNamesPtr names{static_cast<GENERAL_NAMES*>(X509V3_EXT_d2i(extension))};
        auto found = read_general_names(names.get());
        if (!names || found.malformed || ++names_seen > 1)
            return bad_csr("the request's subject alternative name cannot be read", "csrSan");
        csr.identifiers = std::move(found.identifiers);
        csr.other_names = std::move(found.others);
    }
    ERR_clear_error();
    csr.der = std::move(der);
    return csr;
}

/// What OpenSSL takes for a request, in DER or another form of BER.
bool is_request(ByteView octets)
{
    const auto* data = octets.data();
    const ReqPtr request{
        octets.size() <= INT_MAX ? d2i_X509_REQ(nullptr, &data, static_cast<long>(octets.size())) : nullptr};
    const bool whole = request && data == octets.data() + octets.size();
    ERR_clear_error();
    return whole;
}

Result<void> set_subject(X509_REQ* request, const Bytes& der)
{
    const auto name = read_name(der);
    if (!name || X509_REQ_set_subject_name(request, name.get()) != 1)
        return openssl_failure(Errc::bad_input, "the subject is not a name that can be encoded");
    return {};
}

/// The names for the request's SAN.
std::vector<Identifier> names_of(const CsrOptions& options)
{
    auto names = options.identifiers;
    for (const auto& extension : options.extensions) {
        if (extension.oid != oid::kSubjectAltName) continue;
        const auto* data = extension.value.data();
        const GeneralNamesPtr san{
            d2i_GENERAL_NAMES(nullptr, &data, static_cast<long>(extension.value.size()))};
        auto found = read_general_names(san.get()).identifiers;
        names.insert(names.end(), found.begin(), found.end());
    }
    return names;
}

Result<void> add_subject(X509_REQ* request, const CsrOptions& options)
{
    if (!options.subject.empty()) return set_subject(request, options.subject);
    if (options.common_name.empty()) return {};
    const auto names = names_of(options);
    const bool among = std::any_of(names.begin(), names.end(),
                                   [&](const Identifier& i) { return i.value == options.common_name; });
    if (!among)
        return fail(Errc::bad_input,
                    fmt::format("common name {} is not among the names", options.common_name),
                    "the common name must be one of the names; add it with --dns", "commonNameNotInSan");
    if (options.common_name.size() > kLongestCommonName) return {};
    if (X509_NAME_add_entry_by_NID(X509_REQ_get_subject_name(request), NID_commonName, MBSTRING_UTF8,
                                   reinterpret_cast<const unsigned char*>(options.common_name.data()),
                                   static_cast<int>(options.common_name.size()), -1, 0) != 1)
        return openssl_failure(Errc::bad_input, "the common name cannot be encoded");
    return {};
}

ExtensionPtr make_san(const std::vector<Identifier>& identifiers)
{
    const GeneralNamesPtr names = make_general_names(identifiers);
    return ExtensionPtr{names ? X509V3_EXT_i2d(NID_subject_alt_name, 0, names.get()) : nullptr};
}

ExtensionPtr make_extension(const Extension& extension)
{
    const Owned<ASN1_OBJECT, ASN1_OBJECT_free> oid{OBJ_txt2obj(extension.oid.c_str(), 1)};
    const Owned<ASN1_OCTET_STRING, ASN1_OCTET_STRING_free> value{ASN1_OCTET_STRING_new()};
    if (!oid || !value ||
        ASN1_OCTET_STRING_set(value.get(), extension.value.data(),
                              static_cast<int>(extension.value.size())) != 1)
        return nullptr;
    return ExtensionPtr{
        X509_EXTENSION_create_by_OBJ(nullptr, oid.get(), extension.critical ? 1 : 0, value.get())};
}

Result<void> add_extensions(X509_REQ* request, const CsrOptions& options)
{
    const ExtensionsPtr extensions{sk_X509_EXTENSION_new_null()};
    if (!extensions) return openssl_failure(Errc::internal, "building a request");
    if (!options.identifiers.empty()) {
        auto san = make_san(options.identifiers);
        if (!san) return openssl_failure(Errc::bad_input, "the names cannot be encoded");
        sk_X509_EXTENSION_push(extensions.get(), san.release());
    }
    for (const auto& extension : options.extensions) {
        auto made = make_extension(extension);
        if (!made)
            return openssl_failure(Errc::bad_input,
                                   fmt::format("extension {} cannot be encoded", extension.oid));
        sk_X509_EXTENSION_push(extensions.get(), made.release());
    }
    if (sk_X509_EXTENSION_num(extensions.get()) > 0 &&
        X509_REQ_add_extensions(request, extensions.get()) != 1)
        return openssl_failure(Errc::internal, "adding the extensions");
    return {};
}

Result<void> add_attributes(X509_REQ* request, const CsrOptions& options)
{
    ACMETOOL_CHECK(add_extensions(request, options));
    if (!options.challenge_password) return {};
    return add_challenge_password(request, *options.challenge_password);
}

} // namespace

const EVP_MD* digest_for(const Key& key, const std::string& wanted)
{
    const auto type = key.type();
    if (type == "ed25519") return nullptr;
    if (!wanted.empty()) return EVP_get_digestbyname(wanted.c_str());
    if (type == "ec:P-384") return EVP_sha384();
    if (type == "ec:P-521") return EVP_sha512();
    return EVP_sha256();
}

Result<void> add_challenge_password(X509_REQ* request, std::string_view password)
{
    if (password.empty() || password.size() > kLongestPassword)
        return fail(Errc::bad_input, "challengePassword must be 1 to 255 octets long", {},
                    "challengePassword");
    if (X509_REQ_add1_attr_by_NID(request, NID_pkcs9_challengePassword, MBSTRING_UTF8,
                                  reinterpret_cast<const unsigned char*>(password.data()),
                                  static_cast<int>(password.size())) != 1)
        return openssl_failure(Errc::bad_input, "challengePassword cannot be encoded");
    return {};
}

std::string csr_pem(ByteView der)
{
    const BioPtr bio{BIO_new(BIO_s_mem())};
    if (!bio ||
        PEM_write_bio(bio.get(), PEM_STRING_X509_REQ, "", der.data(), static_cast<long>(der.size())) == 0)
        return {};
    return contents(bio.get());
}

std::string Csr::to_pem() const
{
    return csr_pem(der);
}

Result<Csr> parse_csr(std::string_view text)
{
    auto octets = octets_of(text);
    if (!octets) return bad_csr("not a certificate request", "notACsr", kExpected);
    // RFC 2986 section 4.2: the signature is over the DER encoding. Octets that others read in another way
    // are no request.
    const auto distinguished = der::check_der(*octets);
    if (distinguished) return read_csr(std::move(*octets));
    if (!is_request(*octets)) return fail(Errc::bad_input, "not a certificate request", kExpected, "notACsr");
    return fail(Errc::bad_input, fmt::format("the request is not in DER: {}", distinguished.error().message),
                "expected PKCS#10 in DER, not in another form of BER", "notDer");
}

Result<std::vector<Identifier>> require_identifiers(const Csr& csr)
{
    if (csr.identifiers.empty())
        return fail(Errc::bad_input, "the request has no subject alternative name",
                    "put names into the SAN (csr-build --dns NAME); a common name is not enough",
                    "csrWithoutSan");
    if (!csr.other_names.empty())
        return fail(Errc::bad_input, fmt::format("the request contains {}", csr.other_names.front()),
                    "only DNS names and IP addresses can be ordered", "csrOtherName");
    if (!csr.common_name.empty() &&
        std::none_of(csr.identifiers.begin(), csr.identifiers.end(), [&](const Identifier& i) {
            return base::equals_ignoring_case(i.value, csr.common_name);
        }))
        return fail(Errc::bad_input, "the request's common name is not among its subject alternative names",
                    "the common name must be one of the names, or absent", "commonNameNotInSan");
    return csr.identifiers;
}

Result<Csr> build_csr(const Key& key, const CsrOptions& options)
{
    const auto is_san = [](const Extension& e) { return e.oid == oid::kSubjectAltName; };
    if (options.identifiers.empty() &&
        std::none_of(options.extensions.begin(), options.extensions.end(), is_san))
        return fail(Errc::usage, "no name for the request", "give at least one --dns or --ip", "noNames");
    const ReqPtr request{X509_REQ_new()};
    if (!request || X509_REQ_set_version(request.get(), X509_REQ_VERSION_1) != 1 ||
        !write_spki(request.get(), key))
        return openssl_failure(Errc::internal, "building a request");
    ACMETOOL_CHECK(add_subject(request.get(), options));
    ACMETOOL_CHECK(add_attributes(request.get(), options));
    ACMETOOL_CHECK(sign_request(request.get(), digest_for(key, options.digest), key));
    unsigned char* out = nullptr;
    const int size = i2d_X509_REQ(request.get(), &out);
    const OpensslMemory owned{out};
    return read_csr(Bytes(out, out + std::max(size, 0)));
}

} // namespace acmetool::crypto
