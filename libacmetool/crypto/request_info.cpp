#include "crypto/request_info.h"

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/core.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/x509.h>

#include "base/text.h"
#include "crypto/der.h"
#include "crypto/digest.h"
#include "crypto/oids.h"
#include "crypto/openssl.h"
#include "crypto/request_parts.h"
#include "crypto/spki.h"

namespace acmetool::crypto
{
namespace
{

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

/// True for an attribute of type extensionRequest (RFC 2985 section 5.4.2).
bool is_extension_request(ByteView attribute)
{
    return is_of_type(attribute, 14);
}

/// Extension ::= SEQUENCE { extnID, critical BOOLEAN DEFAULT FALSE, extnValue OCTET STRING }
Result<Extension> read_extension(ByteView content)
{
    der::Reader reader{content};
    ACMETOOL_TRY(type, reader.expect(der::kOid, "an extension's type"));
    Extension extension;
    ACMETOOL_TRY(oid, der::oid_text(type.value));
    extension.oid = std::move(oid);
    if (reader.next_is(der::kBoolean)) {
        ACMETOOL_TRY(critical, reader.next("critical"));
        extension.critical = critical.value.size() == 1 && critical.value[0] != 0;
    }
    ACMETOOL_TRY(value, reader.expect(der::kOctetString, "an extension's value"));
    ACMETOOL_CHECK(reader.end("an extension's value"));
    extension.value.assign(value.value.begin(), value.value.end());
    return extension;
}

Result<std::vector<RequestContents::Name>> read_subject(ByteView subject)
{
    const auto name = read_name(subject);
    if (!name) return openssl_failure(Errc::bad_input, "the subject is not a name");
    std::vector<RequestContents::Name> names;
    for (int i = 0; i < X509_NAME_entry_count(name.get()); ++i) {
        const X509_NAME_ENTRY* entry = X509_NAME_get_entry(name.get(), i);
        names.push_back(
            {dotted(X509_NAME_ENTRY_get_object(entry)), utf8_of(X509_NAME_ENTRY_get_data(entry))});
    }
    ERR_clear_error();
    return names;
}

} // namespace

Result<Bytes> info_digest(const Csr& csr)
{
    ACMETOOL_TRY(info, read_request_parts(csr.der));
    std::erase_if(info.attributes, is_password);
    // X.690 section 11.6: the members of a SET OF in the order of their octets.
    std::sort(info.attributes.begin(), info.attributes.end(), [](ByteView a, ByteView b) {
        return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end());
    });
    Bytes attributes;
    for (const auto& attribute : info.attributes)
        der::append(attributes, attribute);
    const Bytes before{info.before_attributes.begin(), info.before_attributes.end()};
    return sha256(der::element(der::kSequence, {before, der::element(der::context(0), attributes)}));
}

Result<RequestContents> request_contents(const Csr& csr)
{
    ACMETOOL_TRY(info, read_request_parts(csr.der));
    RequestContents contents;
    ACMETOOL_TRY(subject, read_subject(info.subject));
    contents.subject = std::move(subject);
    for (const auto attribute : info.attributes) {
        ACMETOOL_TRY(whole, der::Reader{attribute}.next("an attribute"));
        der::Reader reader{whole.value};
        ACMETOOL_TRY(type, reader.expect(der::kOid, "an attribute's type"));
        ACMETOOL_TRY(oid, der::oid_text(type.value));
        ACMETOOL_TRY(values, reader.expect(der::kSet, "an attribute's values"));
        ACMETOOL_CHECK(reader.end("an attribute's values"));
        contents.attributes.push_back(std::move(oid));
        if (!is_extension_request(attribute)) continue;
        der::Reader each{values.value};
        ACMETOOL_TRY(list, each.expect(der::kSequence, "the extensions"));
        ACMETOOL_CHECK(each.end("the extensions"));
        for (der::Reader extensions{list.value}; !extensions.at_end();) {
            ACMETOOL_TRY(one, extensions.expect(der::kSequence, "an extension"));
            ACMETOOL_TRY(extension, read_extension(one.value));
            contents.extensions.push_back(std::move(extension));
        }
    }
    return contents;
}

std::optional<Identifier> name_in_subject(const Csr& csr)
{
    if (!csr.identifiers.empty() || !csr.other_names.empty()) return std::nullopt;
    const auto contents = request_contents(csr);
    if (!contents || std::any_of(contents->extensions.begin(), contents->extensions.end(),
                                 [](const auto& one) { return one.oid == oid::kSubjectAltName; }))
        return std::nullopt;
    std::vector<std::string> names;
    for (const auto& name : contents->subject)
        if (name.oid == oid::kCommonName) names.push_back(base::to_lower(name.value));
    if (names.size() != 1 || names.front().empty()) return std::nullopt;
    return Identifier{"dns", std::move(names.front())};
}

std::string describe_oid(const std::string& oid)
{
    const Owned<ASN1_OBJECT, ASN1_OBJECT_free> object{OBJ_txt2obj(oid.c_str(), 1)};
    const int nid = object ? OBJ_obj2nid(object.get()) : NID_undef;
    ERR_clear_error();
    return nid == NID_undef ? oid : fmt::format("{} ({})", OBJ_nid2sn(nid), oid);
}

bool is_key_identifier_of(ByteView identifier, const Key& key)
{
    constexpr std::size_t kSha1Size = 20;
    const auto spki = key.encoded_spki();
    const auto outer = der::Reader{spki}.expect(der::kSequence, "the key");
    der::Reader reader{outer ? outer->value : ByteView{}};
    if (!reader.expect(der::kSequence, "its algorithm")) return false;
    const auto bits = reader.expect(der::kBitString, "its bits");
    if (!bits || bits->value.empty()) return false;
    const auto is_digest = [&](ByteView data, const EVP_MD* type, std::size_t longest) {
        std::array<std::uint8_t, EVP_MAX_MD_SIZE> digest{};
        unsigned size = 0;
        EVP_Digest(data.data(), data.size(), digest.data(), &size, type, nullptr);
        return std::ranges::equal(identifier, ByteView{digest}.first(std::min<std::size_t>(size, longest)));
    };
    const auto key_bits = bits->value.subspan(1); // without the number of unused bits
    const auto is_short_sha1 = [&] {
        // RFC 5280 section 4.2.1.2 (2): "a four-bit type field with the value 0100 followed by the least
        // significant 60 bits of the SHA-1 hash".
        std::array<std::uint8_t, kSha1Size> digest{};
        EVP_Digest(key_bits.data(), key_bits.size(), digest.data(), nullptr, EVP_sha1(), nullptr);
        const auto last = std::span{digest}.last<8>();
        last[0] = static_cast<std::uint8_t>(0x40U | (last[0] & 0x0fU));
        return std::ranges::equal(identifier, last);
    };
    return is_digest(key_bits, EVP_sha1(), kSha1Size) || is_short_sha1() ||
           is_digest(key_bits, EVP_sha256(), kSha1Size) || is_digest(key_bits, EVP_sha384(), kSha1Size) ||
           is_digest(key_bits, EVP_sha512(), kSha1Size) || is_digest(spki, EVP_sha256(), EVP_MAX_MD_SIZE) ||
           is_digest(spki, EVP_sha1(), EVP_MAX_MD_SIZE); // one of Windows' ways
}

namespace
{

NamePtr name_of(ByteView der)
{
    auto name = read_name(der);
    ERR_clear_error();
    return name;
}

} // namespace

Result<Bytes> requested_subject(ByteView csr)
{
    ACMETOOL_TRY(info, read_request_parts(csr));
    return Bytes{info.subject.begin(), info.subject.end()};
}

Result<Key> requested_key(ByteView csr)
{
    ACMETOOL_TRY(info, read_request_parts(csr));
    return read_spki(info.key);
}

bool is_subject_of(ByteView name, const Certificate& certificate)
{
    const auto subject = name_of(name);
    return subject && X509_NAME_cmp(subject.get(), X509_get_subject_name(certificate.get())) == 0;
}

bool requests_subject(const Csr& csr, ByteView name)
{
    const auto info = read_request_parts(csr.der);
    const auto requested = info ? name_of(info->subject) : nullptr;
    const auto wanted = name_of(name);
    return requested && wanted && X509_NAME_cmp(requested.get(), wanted.get()) == 0;
}

bool same_subject(const Csr& csr, const Certificate& certificate)
{
    const auto info = read_request_parts(csr.der);
    return info && is_subject_of(info->subject, certificate);
}

} // namespace acmetool::crypto
