#include "est/csrattrs.h"

#include <algorithm>
#include <bit>

#include <fmt/core.h>

#include "crypto/der.h"
#include "crypto/oids.h"
#include "crypto/subject.h"
#include "est/csrattrs_oids.h"

namespace acmetool::est
{
namespace
{

namespace der = crypto::der;
using der::Element;
using der::Reader;

constexpr std::size_t kLargest = 64 * 1024;

tl::unexpected<Error> broken(std::string_view rule)
{
    return fail(Errc::protocol, fmt::format("CSR attributes: {}", rule),
                "the EST server sent attributes that violate RFC 9908 or DER; all were ignored", "csrattrs");
}

/// An Attribute (RFC 2986 section 4): its type and the elements of its set of values.
struct Attribute {
    std::string type;
    std::vector<Element> values;
};

Result<Attribute> parse_attribute(ByteView content)
{
    Reader reader{content};
    ACMETOOL_TRY(type, reader.expect(der::kOid, "an attribute's type"));
    ACMETOOL_TRY(oid, der::oid_text(type.value));
    Attribute attribute{oid, {}};
    ACMETOOL_TRY(set, reader.expect(der::kSet, fmt::format("the set of values of attribute {}", oid)));
    ACMETOOL_CHECK(reader.end(fmt::format("attribute {}", oid)));
    for (Reader values{set.value}; !values.at_end();) {
        ACMETOOL_TRY(value, values.next("an attribute's value"));
        attribute.values.push_back(value);
    }
    return attribute;
}

Result<Element> only_value(const Attribute& attribute, std::string_view name)
{
    if (attribute.values.size() != 1)
        return broken(fmt::format("{} has {} values instead of one", name, attribute.values.size()));
    return attribute.values.front();
}

Result<RequestedExtension> parse_extension(ByteView content, bool may_be_open)
{
    Reader reader{content};
    RequestedExtension extension;
    ACMETOOL_TRY(id, reader.expect(der::kOid, "extnID"));
    ACMETOOL_TRY(oid, der::oid_text(id.value));
    extension.oid = oid;
    if (reader.next_is(der::kBoolean)) {
        ACMETOOL_TRY(critical, reader.next("critical"));
        if (critical.value.size() != 1)
            return broken(fmt::format("extension {}: critical is malformed", oid));
        extension.critical = critical.value[0] != 0;
    }
    if (!may_be_open || !reader.at_end()) {
        ACMETOOL_TRY(value, reader.expect(der::kOctetString, fmt::format("the value of extension {}", oid)));
        extension.value = Bytes(value.value.begin(), value.value.end());
    }
    ACMETOOL_CHECK(reader.end(fmt::format("extension {}", oid)));
    if (oid == crypto::oid::kSubjectAltName && extension.value) {
        const auto checked = [&]() -> Result<void> {
            Reader outer{*extension.value};
            ACMETOOL_TRY(names, outer.expect(der::kSequence, "GeneralNames"));
            ACMETOOL_CHECK(outer.end("GeneralNames"));
            return der::check_nesting(names.value);
        }();
        if (!checked) return broken(fmt::format("subjectAltName: {}", checked.error().message));
    }
    return extension;
}

Result<std::vector<RequestedExtension>> parse_extensions(const Element& value, bool may_be_open)
{
    if (value.tag != der::kSequence) return broken("the requested extensions are not a SEQUENCE");
    std::vector<RequestedExtension> extensions;
    Reader reader{value.value};
    // According to RFC 9908 section 3.4 the value is one ExtensionTemplate, according to its module a list of
    // them.
    if (may_be_open && reader.next_is(der::kOid)) {
        ACMETOOL_TRY(single, parse_extension(value.value, true));
        return std::vector{std::move(single)};
    }
    while (!reader.at_end()) {
        ACMETOOL_TRY(entry, reader.expect(der::kSequence, "an extension"));
        ACMETOOL_TRY(extension, parse_extension(entry.value, may_be_open));
        const auto same = [&](const RequestedExtension& other) { return other.oid == extension.oid; };
        // RFC 9908 section 3.2: "MUST NOT include more than one element with a particular extnID".
        if (std::any_of(extensions.begin(), extensions.end(), same))
            return broken(fmt::format("extension {} occurs twice", extension.oid));
        extensions.push_back(std::move(extension));
    }
    if (extensions.empty()) return broken("an empty list of extensions");
    return extensions;
}

/// "ec:P-256", or "ec:" and the OID of an unsupported curve.
Result<std::string> curve_word(const Element& parameter)
{
    if (parameter.tag != der::kOid) return broken("the curve of an EC key is not an object identifier");
    ACMETOOL_TRY(curve, der::oid_text(parameter.value));
    const auto word = oid::word_for(oid::kCurves, curve);
    return word.empty() ? "ec:" + curve : std::string{word};
}

/// The subject's NameTemplate: RDNs whose values may be missing.
Result<std::vector<std::vector<RequestedName>>> parse_subject(ByteView content)
{
    std::vector<std::vector<RequestedName>> subject;
    for (Reader rdns{content}; !rdns.at_end();) {
        ACMETOOL_TRY(rdn, rdns.expect(der::kSet, "a relative distinguished name"));
        if (rdn.value.empty()) return broken("an empty relative distinguished name");
        auto& names = subject.emplace_back();
        for (Reader set{rdn.value}; !set.at_end();) {
            ACMETOOL_TRY(entry, set.expect(der::kSequence, "an attribute of the subject"));
            Reader reader{entry.value};
            ACMETOOL_TRY(type, reader.expect(der::kOid, "the type of an attribute of the subject"));
            ACMETOOL_TRY(oid, der::oid_text(type.value));
            RequestedName name{.oid = oid, .name = crypto::short_name(oid), .value = {}};
            if (!reader.at_end()) {
                ACMETOOL_TRY(value, reader.next("the value of an attribute of the subject"));
                name.value.assign(value.whole.begin(), value.whole.end());
            }
            ACMETOOL_CHECK(reader.end("an attribute of the subject"));
            names.push_back(std::move(name));
        }
    }
    return subject;
}

/// The modulus length of the placeholder key, in bits.
Result<int> placeholder_bits(ByteView bit_string)
{
    if (bit_string.empty() || bit_string[0] != 0) return broken("the placeholder key is malformed");
    ACMETOOL_TRY(key, Reader{bit_string.subspan(1)}.expect(der::kSequence, "the placeholder RSA key"));
    ACMETOOL_TRY(modulus, Reader{key.value}.expect(der::kInteger, "the placeholder's modulus"));
    auto octets = modulus.value;
    while (!octets.empty() && octets.front() == 0)
        octets = octets.subspan(1);
    if (octets.empty()) return broken("the placeholder RSA key has no modulus");
    return static_cast<int>(octets.size()) * 8;
}

/// SubjectPublicKeyInfoTemplate: the word for the key type; empty for an unknown key.
Result<std::string> parse_key_template(ByteView content)
{
    Reader reader{content};
    ACMETOOL_TRY(algorithm, reader.expect(der::kSequence, "the algorithm of subjectPKInfo"));
    Reader parts{algorithm.value};
    ACMETOOL_TRY(type, parts.expect(der::kOid, "the key type of subjectPKInfo"));
    ACMETOOL_TRY(oid, der::oid_text(type.value));
    std::optional<Element> parameter;
    if (!parts.at_end()) {
        ACMETOOL_TRY(next, parts.next("the parameters of subjectPKInfo"));
        parameter = next;
    }
    ACMETOOL_CHECK(parts.end("the algorithm of subjectPKInfo"));
    std::optional<Element> placeholder;
    if (!reader.at_end()) {
        ACMETOOL_TRY(next, reader.expect(der::kBitString, "subjectPublicKey"));
        placeholder = next;
    }
    ACMETOOL_CHECK(reader.end("subjectPKInfo"));
    if (oid == oid::kEcPublicKey) return parameter ? curve_word(*parameter) : std::string{"ec"};
    if (oid == oid::kEd25519) return std::string{"ed25519"};
    if (oid != oid::kRsaEncryption) return "other:" + oid;
    if (!placeholder) return std::string{"rsa"};
    ACMETOOL_TRY(bits, placeholder_bits(placeholder->value));
    return fmt::format("rsa:{}", bits);
}

/// The attributes of a template: [1] IMPLICIT SET OF Attribute.
Result<void> parse_template_attributes(ByteView content, CsrAttrs& asked)
{
    bool extensions_seen = false;
    for (Reader reader{content}; !reader.at_end();) {
        ACMETOOL_TRY(entry, reader.expect(der::kSequence, "an attribute of the template"));
        ACMETOOL_TRY(attribute, parse_attribute(entry.value));
        const bool open = attribute.type == oid::kExtensionReqTemplate;
        if (open || attribute.type == crypto::oid::kExtensionRequest) {
            // RFC 9908 section 3.4: "MUST NOT contain multiple id-aa-extensionReqTemplate attributes and MUST
            // NOT contain both id-ExtensionReq and id-aa-extensionReqTemplate attributes".
            if (std::exchange(extensions_seen, true))
                return broken("more than one of extensionRequest and extensionReqTemplate");
            ACMETOOL_TRY(value, only_value(attribute, open ? "extensionReqTemplate" : "extensionRequest"));
            ACMETOOL_TRY(extensions, parse_extensions(value, open));
            asked.extensions = std::move(extensions);
        } else if (attribute.type == crypto::oid::kChallengePassword) {
            if (attribute.values.size() > 1) return broken("challengePassword has more than one value");
            asked.challenge_password = true;
        } else {
            asked.ignored.push_back(attribute.type);
        }
    }
    return {};
}

Result<CsrAttrs> parse_template(const Element& value)
{
    if (value.tag != der::kSequence) return broken("the template is not a SEQUENCE");
    CsrAttrs asked;
    asked.from_template = true;
    Reader reader{value.value};
    ACMETOOL_TRY(version, reader.expect(der::kInteger, "the template's version"));
    // RFC 9908 section 3.4: "The 'version' field ... MUST contain v1 (0)".
    if (version.value.size() != 1 || version.value[0] != 0) return broken("the template's version is not 0");
    if (reader.next_is(der::kSequence)) {
        ACMETOOL_TRY(name, reader.next("the template's subject"));
        ACMETOOL_TRY(subject, parse_subject(name.value));
        asked.subject = std::move(subject);
    }
    if (reader.next_is(der::context(0))) {
        ACMETOOL_TRY(key, reader.next("the template's subjectPKInfo"));
        ACMETOOL_TRY(key_type, parse_key_template(key.value));
        asked.key_type = key_type;
    }
    ACMETOOL_TRY(attributes, reader.expect(der::context(1), "the template's attributes"));
    ACMETOOL_CHECK(reader.end("the template"));
    ACMETOOL_CHECK(parse_template_attributes(attributes.value, asked));
    return asked;
}

Result<std::string> legacy_key_type(const Attribute& attribute)
{
    const bool ec = attribute.type == oid::kEcPublicKey;
    // RFC 9908 section 3.2: "The 'values' field MAY be empty to indicate no further requirements on the key".
    if (attribute.values.empty()) return std::string{ec ? "ec" : "rsa"};
    ACMETOOL_TRY(value, only_value(attribute, ec ? "id-ecPublicKey" : "rsaEncryption"));
    if (ec) return curve_word(value);
    if (value.tag != der::kInteger) return broken("the size of an RSA key is not an INTEGER");
    ACMETOOL_TRY(bits, der::small_integer(value.value, "the size of an RSA key"));
    return fmt::format("rsa:{}", bits);
}

/// extensionRequest outside a template. RFC 7030 and RFC 8951 printed an example whose values are bare object
/// identifiers; those cannot be filled, so they are ignored like every unknown OID.
Result<void> parse_legacy_extensions(const Attribute& attribute, bool seen, CsrAttrs& asked)
{
    const bool bare =
        !attribute.values.empty() && std::all_of(attribute.values.begin(), attribute.values.end(),
                                                 [](const Element& value) { return value.tag == der::kOid; });
    if (bare) {
        for (const auto& value : attribute.values) {
            ACMETOOL_TRY(oid, der::oid_text(value.value));
            asked.ignored.push_back(oid);
        }
        return {};
    }
    // RFC 9908 section 3.2: "There MUST be only one such attribute".
    if (seen) return broken("extensionRequest occurs twice");
    ACMETOOL_TRY(value, only_value(attribute, "extensionRequest"));
    ACMETOOL_TRY(extensions, parse_extensions(value, false));
    asked.extensions = std::move(extensions);
    return {};
}

void take_oid(const std::string& oid, CsrAttrs& asked)
{
    const auto digest = oid::word_for(oid::kDigests, oid);
    const bool first_key = asked.key_type.empty();
    if (oid == crypto::oid::kChallengePassword)
        asked.challenge_password = true;
    else if (!digest.empty())
        asked.digest = digest;
    else if (oid == oid::kEcPublicKey && first_key)
        asked.key_type = "ec";
    else if (oid == oid::kRsaEncryption && first_key)
        asked.key_type = "rsa";
    else if (oid == oid::kEd25519 && first_key)
        asked.key_type = "ed25519";
    else
        asked.ignored.push_back(oid);
}

Result<CsrAttrs> parse_legacy(const std::vector<std::string>& oids, const std::vector<Attribute>& attributes)
{
    CsrAttrs asked;
    bool extensions_seen = false;
    for (const auto& attribute : attributes) {
        const bool key = attribute.type == oid::kEcPublicKey || attribute.type == oid::kRsaEncryption;
        if (key && asked.key_type.empty()) {
            ACMETOOL_TRY(key_type, legacy_key_type(attribute));
            asked.key_type = key_type;
        } else if (attribute.type == crypto::oid::kExtensionRequest) {
            ACMETOOL_CHECK(parse_legacy_extensions(attribute, extensions_seen, asked));
            extensions_seen = true;
        } else if (attribute.type == crypto::oid::kChallengePassword) {
            asked.challenge_password = true;
        } else {
            asked.ignored.push_back(attribute.type);
        }
    }
    for (const auto& oid : oids)
        take_oid(oid, asked);
    return asked;
}

Result<CsrAttrs> parse(ByteView bytes)
{
    Reader outer{bytes};
    ACMETOOL_TRY(list, outer.expect(der::kSequence, "CsrAttrs"));
    ACMETOOL_CHECK(outer.end("CsrAttrs"));
    ACMETOOL_CHECK(der::check_nesting(bytes));
    std::vector<std::string> oids;
    std::vector<Attribute> attributes;
    const Attribute* request_template = nullptr;
    for (Reader reader{list.value}; !reader.at_end();) {
        ACMETOOL_TRY(entry, reader.next("an element of CsrAttrs"));
        if (entry.tag == der::kOid) {
            ACMETOOL_TRY(oid, der::oid_text(entry.value));
            oids.push_back(oid);
        } else if (entry.tag == der::kSequence) {
            ACMETOOL_TRY(attribute, parse_attribute(entry.value));
            attributes.push_back(std::move(attribute));
        } else {
            return broken(
                fmt::format("an element with tag 0x{:02x} is neither OID nor attribute", entry.tag));
        }
    }
    for (const auto& attribute : attributes) {
        if (attribute.type != oid::kRequestTemplate) continue;
        if (std::exchange(request_template, &attribute) != nullptr) return broken("two templates");
    }
    if (request_template == nullptr) return parse_legacy(oids, attributes);
    ACMETOOL_TRY(value, only_value(*request_template, "the template"));
    return parse_template(value);
}

} // namespace

bool CsrAttrs::empty() const
{
    return key_type.empty() && digest.empty() && !challenge_password && !subject && extensions.empty();
}

Result<CsrAttrs> parse_csrattrs(ByteView bytes)
{
    if (bytes.empty()) return CsrAttrs{};
    if (bytes.size() > kLargest) return broken(fmt::format("more than {} octets", kLargest));
    auto asked = parse(bytes);
    if (!asked && asked.error().code != Errc::protocol) return broken(asked.error().message);
    return asked;
}

} // namespace acmetool::est
