#include "crypto/request_info.h"

#include <algorithm>
#include <array>
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

/// True for an attribute of type challengePassword (RFC 2985 section 5.4.1).
bool is_password(ByteView attribute)
{
    static constexpr std::array<std::uint8_t, 9> kType{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x07};
    const auto whole = der::Reader{attribute}.next("an attribute");
    const auto type = whole ? der::Reader{whole->value}.expect(der::kOid, "its type") : whole;
    return type && std::equal(type->value.begin(), type->value.end(), kType.begin(), kType.end());
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
