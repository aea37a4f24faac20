#include "crypto/spki.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/params.h>
#include <openssl/x509.h>

#include "base/octets.h"
#include "crypto/der.h"
#include "crypto/openssl.h"
#include "crypto/public_numbers.h"

namespace acmetool::crypto
{
namespace
{

using namespace std::string_view_literals;

struct UsualForm {
    const char* group;     ///< OpenSSL's name
    std::string_view head; ///< all octets before the point
    std::size_t point;     ///< octets
};
/// AlgorithmIdentifier {id-ecPublicKey, namedCurve} and the BIT STRING's head, without unused bits.
constexpr std::array<UsualForm, 3> kUsualForms{
    {{"prime256v1",
      "\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00"sv,
      65},
     {"secp384r1",
      "\x30\x76\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22\x03\x62\x00"sv, 97},
     {"secp521r1",
      "\x30\x81\x9b\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x23\x03\x81\x86\x00"sv,
      133}}};

/// Null, with OpenSSL's reasons, if the point is not on the curve.
EVP_PKEY* read_point(const UsualForm& form, ByteView point)
{
    const std::array<OSSL_PARAM, 3> parameters{
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, const_cast<char*>(form.group), 0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, const_cast<std::uint8_t*>(point.data()),
                                          point.size()),
        OSSL_PARAM_construct_end()};
    const PkeyCtxPtr context{EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr)};
    EVP_PKEY* pkey = nullptr;
    if (!context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
        EVP_PKEY_fromdata(context.get(), &pkey, EVP_PKEY_PUBLIC_KEY,
                          const_cast<OSSL_PARAM*>(parameters.data())) != 1)
        return nullptr;
    return pkey;
}

/// Null if the key is on none of these curves.
const UsualForm* usual_form(EVP_PKEY* pkey)
{
    char group[64] = {};
    const bool named =
        EVP_PKEY_is_a(pkey, "EC") == 1 &&
        EVP_PKEY_get_utf8_string_param(pkey, OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof group, nullptr) == 1;
    ERR_clear_error();
    if (!named) return nullptr;
    const auto* const form = std::find_if(kUsualForms.begin(), kUsualForms.end(), [&](const UsualForm& each) {
        return each.group == std::string_view{group};
    });
    return form == kUsualForms.end() ? nullptr : form;
}

/// Empty if the key was read with a compressed point.
Bytes usual_point(const UsualForm& form, EVP_PKEY* pkey)
{
    Bytes point(form.point);
    std::size_t size = 0;
    const bool usual = EVP_PKEY_get_octet_string_param(pkey, OSSL_PKEY_PARAM_PUB_KEY, point.data(),
                                                       form.point, &size) == 1 &&
                       size == form.point && point.front() == POINT_CONVERSION_UNCOMPRESSED;
    ERR_clear_error();
    return usual ? point : Bytes{};
}

/// False if the key was read in another form.
bool write_usual(X509_PUBKEY* to, const Key& key)
{
    const auto* const form = key.has_explicit_curve() ? nullptr : usual_form(key.get());
    const auto point = form != nullptr ? usual_point(*form, key.get()) : Bytes{};
    if (point.empty()) return false;
    auto* const copy = static_cast<unsigned char*>(OPENSSL_memdup(point.data(), point.size()));
    if (copy != nullptr && X509_PUBKEY_set0_param(to, OBJ_nid2obj(NID_X9_62_id_ecPublicKey), V_ASN1_OBJECT,
                                                  OBJ_nid2obj(OBJ_sn2nid(form->group)), copy,
                                                  static_cast<int>(point.size())) == 1)
        return true;
    OPENSSL_free(copy);
    return false;
}

/// AlgorithmIdentifier {rsaEncryption, NULL} (RFC 3279 section 2.3.1).
constexpr std::string_view kRsaEncryption = "\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00"sv;

/// Nothing if it is not the usual form.
std::optional<RsaNumbers> read_rsa_numbers(ByteView der)
{
    der::Reader outside{der};
    const auto info = outside.expect(der::kSequence, "SubjectPublicKeyInfo");
    if (!info || !outside.at_end() || !as_text(info->value).starts_with(kRsaEncryption)) return {};
    der::Reader fields{info->value.subspan(kRsaEncryption.size())};
    const auto bits = fields.expect(der::kBitString, "subjectPublicKey");
    if (!bits || !fields.at_end() || bits->value.empty() || bits->value.front() != 0 ||
        !der::check_der(bits->value.subspan(1)))
        return {};
    der::Reader key{bits->value.subspan(1)};
    const auto numbers = key.expect(der::kSequence, "RSAPublicKey");
    if (!numbers || !key.at_end()) return {};
    der::Reader pair{numbers->value};
    const auto modulus = pair.expect(der::kInteger, "modulus");
    const auto exponent = pair.expect(der::kInteger, "publicExponent");
    const auto is_positive = [](const der::Element& number) {
        return !number.value.empty() && number.value.front() < 0x80;
    };
    if (!modulus || !exponent || !pair.at_end() || !is_positive(*modulus) || !is_positive(*exponent))
        return {};
    return RsaNumbers{{modulus->value.begin(), modulus->value.end()},
                      {exponent->value.begin(), exponent->value.end()}};
}

EVP_PKEY* read_pkey(ByteView der)
{
    const auto text = as_text(der);
    for (const auto& form : kUsualForms)
        if (text.size() == form.head.size() + form.point && text.starts_with(form.head) &&
            der[form.head.size()] == POINT_CONVERSION_UNCOMPRESSED)
            return read_point(form, der.last(form.point));
    const auto* data = der.data();
    PkeyPtr pkey{d2i_PUBKEY(nullptr, &data, static_cast<long>(der.size()))};
    return data == der.data() + der.size() ? pkey.release() : nullptr;
}

} // namespace

Bytes usual_spki(const Key& key)
{
    const auto* const form = usual_form(key.get());
    const auto point = form != nullptr ? usual_point(*form, key.get()) : Bytes{};
    if (point.empty()) return {};
    Bytes der(form->head.begin(), form->head.end());
    der.insert(der.end(), point.begin(), point.end());
    return der;
}

bool write_spki(X509* certificate, const Key& key)
{
    return write_usual(X509_get_X509_PUBKEY(certificate), key) ||
           X509_set_pubkey(certificate, key.get()) == 1;
}

bool write_spki(X509_REQ* request, const Key& key)
{
    return write_usual(X509_REQ_get_X509_PUBKEY(request), key) ||
           X509_REQ_set_pubkey(request, key.get()) == 1;
}

Result<Key> read_spki(ByteView der)
{
    if (const auto numbers = read_rsa_numbers(der))
        if (auto key = make_public_key(*numbers))
            return key; // else it is too short, for example, and OpenSSL says it
    EVP_PKEY* const pkey = read_pkey(der);
    if (pkey == nullptr) return openssl_failure(Errc::bad_input, "the public key cannot be read");
    return Key::adopt(pkey);
}

} // namespace acmetool::crypto
