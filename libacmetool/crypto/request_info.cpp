#include "crypto/request_info.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <vector>

#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/x509.h>

#include "crypto/der.h"
#include "crypto/openssl.h"

namespace acmetool::crypto
{
namespace
{

/// The parts of a CertificationRequestInfo (RFC 2986 section 4.1), borrowed. Read here and not by OpenSSL,
/// whose every look at a request decodes the public key anew: four times the price of a signature.
struct RequestInfo {
    ByteView before; ///< version, subject and key as they stand
    ByteView subject;
    std::vector<ByteView> attributes;
};

Result<RequestInfo> read(const Csr& csr)
{
    ACMETOOL_TRY(request, der::Reader{csr.der}.expect(der::kSequence, "the request"));
    ACMETOOL_TRY(info, der::Reader{request.value}.expect(der::kSequence, "the request's information"));
    der::Reader reader{info.value};
    ACMETOOL_TRY(version, reader.expect(der::kInteger, "the version"));
    ACMETOOL_TRY(subject, reader.expect(der::kSequence, "the subject"));
    ACMETOOL_TRY(key, reader.expect(der::kSequence, "the public key"));
    RequestInfo parts;
    parts.before = info.value.first(version.whole.size() + subject.whole.size() + key.whole.size());
    parts.subject = subject.whole;
    if (reader.at_end()) return parts;
    ACMETOOL_TRY(attributes, reader.expect(der::context(0), "the attributes"));
    for (der::Reader each{attributes.value}; !each.at_end();) {
        ACMETOOL_TRY(attribute, each.expect(der::kSequence, "an attribute"));
        parts.attributes.push_back(attribute.whole);
    }
    ACMETOOL_CHECK(reader.end("the attributes"));
    return parts;
}

/// True for an attribute of the type 1.2.840.113549.1.9.`last`.
bool is_of_type(ByteView attribute, std::uint8_t last)
{
    static constexpr std::array<std::uint8_t, 8> kPkcs9{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09};
    const auto whole = der::Reader{attribute}.next("an attribute");
    const auto type = whole ? der::Reader{whole->value}.expect(der::kOid, "its type") : whole;
    return type && type->value.size() == kPkcs9.size() + 1 && type->value.back() == last &&
           std::equal(kPkcs9.begin(), kPkcs9.end(), type->value.begin());
}

/// True for an attribute of type challengePassword (RFC 2985 section 5.4.1).
bool is_password(ByteView attribute)
{
    return is_of_type(attribute, 7);
}

/// The Extensions in an attribute of type extensionRequest (RFC 2985 section 5.4.2).
std::optional<ByteView> extension_request(ByteView attribute)
{
    constexpr std::uint8_t kExtensionRequest = 14;
    if (!is_of_type(attribute, kExtensionRequest)) return std::nullopt;
    const auto whole = der::Reader{attribute}.next("an attribute");
    if (!whole) return std::nullopt;
    der::Reader reader{whole->value};
    if (!reader.next("its type")) return std::nullopt;
    const auto values = reader.expect(der::kSet, "its values");
    if (!values) return std::nullopt;
    const auto list = der::Reader{values->value}.expect(der::kSequence, "extensions");
    if (!list) return std::nullopt;
    return list->value;
}

/// An OBJECT IDENTIFIER as text.
std::string dotted(ByteView oid)
{
    const auto* data = oid.data();
    const Owned<ASN1_OBJECT, ASN1_OBJECT_free> object{
        d2i_ASN1_OBJECT(nullptr, &data, static_cast<long>(oid.size()))};
    std::array<char, 256> text{};
    if (object) OBJ_obj2txt(text.data(), static_cast<int>(text.size()), object.get(), 1);
    ERR_clear_error();
    return text.data();
}

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
    ACMETOOL_TRY(info, read(csr));
    std::erase_if(info.attributes, is_password);
    // X.690 section 11.6: the members of a SET OF in the order of their octets.
    std::sort(info.attributes.begin(), info.attributes.end(), [](ByteView a, ByteView b) {
        return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end());
    });
    Bytes attributes;
    for (const auto& attribute : info.attributes)
        der::append(attributes, attribute);
    const Bytes before{info.before.begin(), info.before.end()};
    return sha256(der::element(der::kSequence, {before, der::element(der::context(0), attributes)}));
}

std::vector<std::string> requested_extensions(const Csr& csr)
{
    std::vector<std::string> found;
    const auto info = read(csr);
    if (!info) return found;
    for (const auto attribute : info->attributes) {
        const auto list = extension_request(attribute);
        if (!list) continue;
        for (der::Reader each{*list}; !each.at_end();) {
            const auto extension = each.expect(der::kSequence, "an extension");
            if (!extension) break;
            const auto oid = der::Reader{extension->value}.expect(der::kOid, "its type");
            if (!oid) break;
            found.push_back(dotted(oid->whole));
        }
    }
    return found;
}

bool same_subject(const Csr& csr, const Certificate& certificate)
{
    const auto info = read(csr);
    if (!info) return false;
    const auto* data = info->subject.data();
    const NamePtr subject{d2i_X509_NAME(nullptr, &data, static_cast<long>(info->subject.size()))};
    ERR_clear_error();
    return subject && X509_NAME_cmp(subject.get(), X509_get_subject_name(certificate.get())) == 0;
}

} // namespace acmetool::crypto
