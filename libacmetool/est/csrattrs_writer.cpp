#include <algorithm>
#include <charconv>

#include <fmt/core.h>

#include "crypto/alternative_name.h"
#include "crypto/der.h"
#include "crypto/key_type.h"
#include "crypto/oids.h"
#include "est/csrattrs.h"
#include "est/csrattrs_oids.h"

namespace acmetool::est
{
namespace
{

namespace der = crypto::der;

constexpr std::size_t kLargestModulus = 16384;

/// The request for a key type, in both forms.
struct KeyRequest {
    Bytes legacy;      ///< attribute or OID
    Bytes digest;      ///< OID of the signature algorithm; empty: the key type says it all
    Bytes in_template; ///< subjectPKInfo
};

Bytes attribute(std::string_view type, const Bytes& value)
{
    return der::element(der::kSequence, {*der::oid(type), der::element(der::kSet, {value})});
}

/// A placeholder public key with a modulus of the wanted length (RFC 9908 section 3.4).
Bytes placeholder_key(std::size_t bits)
{
    Bytes modulus(bits / 8 + 1); // a zero octet in front, the top bit set
    modulus[1] = 0x80;
    modulus.back() |= 1;
    constexpr unsigned kExponent = 65537;
    const Bytes key =
        der::element(der::kSequence, {der::element(der::kInteger, modulus), der::integer(kExponent)});
    return der::element(der::kBitString, {Bytes{0}, key});
}

tl::unexpected<Error> bad_key_type(std::string_view type)
{
    return fail(Errc::config, fmt::format("\"{}\" is not a key type that CSR attributes can request", type),
                "use ec:P-256, ec:P-384, ec:P-521, rsa:2048 to rsa:16384, or ed25519", "keyType");
}

Result<KeyRequest> request_key(std::string_view type)
{
    if (type == "ed25519")
        return KeyRequest{.legacy = *der::oid(oid::kEd25519),
                          .digest = {},
                          .in_template = der::element(
                              der::context(0), {der::element(der::kSequence, {*der::oid(oid::kEd25519)})})};
    const auto curve = oid::number_for(oid::kCurves, type);
    if (!curve.empty()) {
        const auto at = static_cast<std::size_t>(
            std::find_if(oid::kCurves.begin(), oid::kCurves.end(),
                         [&](const oid::Meaning& meaning) { return meaning.word == type; }) -
            oid::kCurves.begin());
        // kDigests begins with ecdsa-with-SHA256, -SHA384, -SHA512: the customary hash of each curve, in
        // order.
        return KeyRequest{.legacy = attribute(oid::kEcPublicKey, *der::oid(curve)),
                          .digest = *der::oid(oid::kDigests.at(at).oid),
                          .in_template = der::element(
                              der::context(0), {der::element(der::kSequence, {*der::oid(oid::kEcPublicKey),
                                                                              *der::oid(curve)})})};
    }
    unsigned bits = 0;
    if (!type.starts_with("rsa:")) return bad_key_type(type);
    const auto digits = type.substr(4);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
    if (error != std::errc{} || end != digits.data() + digits.size() || bits < crypto::kLeastRsaBits ||
        bits > kLargestModulus || bits % 8 != 0)
        return bad_key_type(type);
    constexpr std::string_view kSha256WithRsa = "1.2.840.113549.1.1.11";
    const Bytes null{0x05, 0x00};
    return KeyRequest{.legacy = attribute(oid::kRsaEncryption, der::integer(bits)),
                      .digest = *der::oid(kSha256WithRsa),
                      .in_template =
                          der::element(der::context(0),
                                       {der::element(der::kSequence, {*der::oid(oid::kRsaEncryption), null}),
                                        placeholder_key(bits)})};
}

/// The SAN as an Extension; empty without identifiers.
Result<Bytes> san_extension(const std::vector<crypto::Identifier>& identifiers)
{
    if (identifiers.empty()) return Bytes{};
    const auto names = crypto::encode_alternative_name(identifiers);
    if (!names) return fail(with_context(names.error(), "CSR attributes"));
    return der::element(der::kSequence,
                        {*der::oid(crypto::oid::kSubjectAltName), der::element(der::kOctetString, *names)});
}

} // namespace

Result<Bytes> to_csrattrs(const enrol::CsrAttributes& attributes)
{
    KeyRequest key;
    if (!attributes.key_type.empty()) {
        ACMETOOL_TRY(requested, request_key(attributes.key_type));
        key = std::move(requested);
    }
    ACMETOOL_TRY(san, san_extension(attributes.identifiers));
    Bytes bare; // OIDs of the extensions to be filled, for the legacy form
    Bytes open; // the same as ExtensionTemplates
    for (const auto& extension : attributes.extensions) {
        auto oid = der::oid(extension);
        if (!oid || extension == crypto::oid::kSubjectAltName)
            return fail(
                Errc::config,
                fmt::format("CSR attributes: \"{}\" is not an extension that can be requested", extension),
                "use an object identifier in dotted decimal, except that of subjectAltName", "extensionOid");
        der::append(bare, *oid);
        der::append(open, der::element(der::kSequence, {*oid}));
    }
    if (key.legacy.empty() && san.empty() && open.empty() && !attributes.channel_binding)
        return der::element(der::kSequence, ByteView{});

    // A client that knows the template ignores everything else, so the template must be complete.
    std::vector<Bytes> set;
    // The server has no value for challengePassword, so an empty one is used, because an attribute has at
    // least one value.
    if (attributes.channel_binding)
        set.push_back(attribute(crypto::oid::kChallengePassword, der::element(der::kUtf8String, ByteView{})));
    if (!san.empty() || !open.empty())
        // RFC 9908 section 3.4: extensionReqTemplate only if a value is left open, else extensionRequest.
        set.push_back(attribute(open.empty() ? crypto::oid::kExtensionRequest : oid::kExtensionReqTemplate,
                                der::element(der::kSequence, {san, open})));
    std::sort(set.begin(), set.end()); // X.690 section 11.6: SET OF in ascending order
    Bytes in_template;
    for (const auto& member : set)
        der::append(in_template, member);
    const Bytes request_template = attribute(
        oid::kRequestTemplate, der::element(der::kSequence, {der::integer(0), key.in_template,
                                                             der::element(der::context(1), in_template)}));
    return der::element(
        der::kSequence,
        {attributes.channel_binding ? *der::oid(crypto::oid::kChallengePassword) : Bytes{}, key.legacy,
         san.empty() ? Bytes{}
                     : attribute(crypto::oid::kExtensionRequest, der::element(der::kSequence, {san})),
         bare, key.digest, request_template});
}

} // namespace acmetool::est
