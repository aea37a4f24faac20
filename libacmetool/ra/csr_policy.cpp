#include "ra/csr_policy.h"

#include <algorithm>
#include <array>
#include <set>
#include <string_view>

#include <fmt/core.h>

#include "base/text.h"
#include "crypto/der.h"
#include "crypto/oids.h"
#include "crypto/path.h"
#include "crypto/request_info.h"
#include "ra/policy.h"

namespace acmetool::ra
{
namespace
{

using enrol::Ground;
using enrol::Refused;
namespace der = crypto::der;

/// Microsoft's list of extensions, which OpenSSL and others read as well. What is in it is not looked at
/// here, so that no label can allow it.
constexpr std::string_view kOtherExtensionRequest = "1.3.6.1.4.1.311.2.1.14";

/// RFC 5280 section 4.2.1.3, by the number of the bit.
constexpr std::array<std::string_view, 9> kKeyUsages{"digitalSignature", "nonRepudiation", "keyEncipherment",
                                                     "dataEncipherment", "keyAgreement",   "keyCertSign",
                                                     "cRLSign",          "encipherOnly",   "decipherOnly"};
constexpr std::array<std::size_t, 3> kAllowedKeyUsages{0, 2, 4};
constexpr std::array<std::size_t, 2> kKeyUsagesOfCas{5, 6}; ///< which no label can allow

using Allowed = std::vector<std::string>;

bool has(const Allowed& allowed, std::string_view oid)
{
    return std::find(allowed.begin(), allowed.end(), oid) != allowed.end();
}

Refused bad(std::string text, Ground ground = Ground::content_not_allowed)
{
    return refusal(ground, std::move(text));
}

/// The first duplicate, which is refused because readers may use either.
template <class List, class Type>
std::optional<std::string> repeated(const List& list, Type type)
{
    std::set<std::string> seen;
    for (const auto& one : list)
        if (!seen.insert(type(one)).second) return type(one);
    return std::nullopt;
}

template <std::size_t size>
bool is_among(const std::array<std::size_t, size>& bits, std::size_t bit)
{
    return std::find(bits.begin(), bits.end(), bit) != bits.end();
}

std::optional<Refused> judge_key_usage(ByteView value, const Allowed& allowed)
{
    const auto bits = der::Reader{value}.expect(der::kBitString, "keyUsage");
    if (!bits || bits->whole.size() != value.size() || bits->value.size() < 2 || bits->value.size() > 3)
        return bad("the requested key usage is malformed", Ground::malformed);
    const auto octets = bits->value.subspan(1); // without the number of unused bits
    std::string refused;
    for (std::size_t i = 0; i < octets.size() * 8; ++i) {
        const bool set = (octets[i / 8] & (0x80U >> (i % 8))) != 0;
        const auto name = i < kKeyUsages.size() ? std::string{kKeyUsages[i]} : fmt::format("bit {}", i);
        if (!set || is_among(kAllowedKeyUsages, i) || (!is_among(kKeyUsagesOfCas, i) && has(allowed, name)))
            continue;
        refused += (refused.empty() ? "" : ", ") + name;
    }
    if (refused.empty()) return std::nullopt;
    return bad(fmt::format("the request contains the key usage {}, which is not allowed", refused));
}

std::optional<Refused> judge_purposes(ByteView value, const Allowed& allowed)
{
    const auto unreadable = [] {
        return bad("the requested extended key usage is malformed", Ground::malformed);
    };
    const auto list = der::Reader{value}.expect(der::kSequence, "extKeyUsage");
    if (!list || list->whole.size() != value.size() || list->value.empty()) return unreadable();
    for (der::Reader each{list->value}; !each.at_end();) {
        const auto element = each.expect(der::kOid, "a purpose");
        const auto oid = element ? der::oid_text(element->value) : fail(element.error());
        if (!oid) return unreadable();
        if (*oid != crypto::kClientAuthPurpose && *oid != crypto::kServerAuthPurpose && !has(allowed, *oid))
            return bad(fmt::format("the request contains the extended key usage {}, which is not allowed",
                                   crypto::describe_oid(*oid)));
    }
    return std::nullopt;
}

/// BasicConstraints ::= SEQUENCE { cA BOOLEAN DEFAULT FALSE, pathLenConstraint INTEGER OPTIONAL }
std::optional<Refused> judge_constraints(ByteView value)
{
    const auto constraints = der::Reader{value}.expect(der::kSequence, "basicConstraints");
    if (!constraints || constraints->whole.size() != value.size())
        return bad("the requested basic constraints are malformed", Ground::malformed);
    der::Reader reader{constraints->value};
    if (reader.next_is(der::kBoolean)) {
        const auto is_ca = reader.next("cA");
        if (!is_ca || is_ca->value.size() != 1 || is_ca->value[0] != 0)
            return bad("the request is for a CA certificate (basicConstraints CA:TRUE)");
    }
    if (!reader.at_end()) return bad("the request contains basicConstraints with more than CA:FALSE");
    return std::nullopt;
}

std::optional<Refused> judge_extension(const crypto::Extension& extension, const crypto::Key& key,
                                       const Allowed& allowed)
{
    if (extension.oid == crypto::oid::kSubjectAltName) return std::nullopt; // checked with the names
    if (extension.oid == crypto::oid::kKeyUsage) return judge_key_usage(extension.value, allowed);
    if (extension.oid == crypto::oid::kExtKeyUsage) return judge_purposes(extension.value, allowed);
    if (extension.oid == crypto::oid::kBasicConstraints) return judge_constraints(extension.value);
    if (extension.oid == crypto::oid::kSubjectKeyIdentifier) {
        // Much software requests it; with the identifier of another key it would refer to that key's holder.
        const auto value = der::Reader{extension.value}.expect(der::kOctetString, "subjectKeyIdentifier");
        if (value && crypto::is_key_identifier_of(value->value, key)) return std::nullopt;
        return bad("the requested subjectKeyIdentifier is not a digest of the request's key");
    }
    if (has(allowed, extension.oid)) return std::nullopt;
    return refusal(Ground::extension_not_allowed,
                   fmt::format("the request contains the extension {}, which is not allowed",
                               crypto::describe_oid(extension.oid)));
}

std::optional<Refused> judge_requested(const crypto::RequestContents& contents, const crypto::Key& key,
                                       const Allowed& allowed)
{
    const auto itself = [](const std::string& oid) { return oid; };
    if (const auto twice = repeated(contents.attributes, itself))
        return bad(fmt::format("the request contains the attribute {} more than once",
                               crypto::describe_oid(*twice)));
    for (const auto& oid : contents.attributes)
        if (oid != crypto::oid::kExtensionRequest && oid != crypto::oid::kChallengePassword &&
            (oid == kOtherExtensionRequest || !has(allowed, oid)))
            return bad(fmt::format("the request contains the attribute {}, which is not allowed",
                                   crypto::describe_oid(oid)));
    if (const auto twice = repeated(contents.extensions, [](const auto& one) { return one.oid; }))
        return bad(fmt::format("the request contains the extension {} more than once",
                               crypto::describe_oid(*twice)));
    for (const auto& extension : contents.extensions)
        if (auto refused = judge_extension(extension, key, allowed)) return refused;
    return std::nullopt;
}

std::optional<Refused> judge_attributes(const crypto::RequestContents& contents, const Allowed& allowed)
{
    if (const auto twice = repeated(contents.subject, [](const auto& one) { return one.oid; }))
        return bad(
            fmt::format("the request's subject contains {} more than once", crypto::describe_oid(*twice)));
    for (const auto& name : contents.subject)
        if (name.oid != crypto::oid::kCommonName && name.oid != crypto::oid::kSerialNumber &&
            !has(allowed, name.oid))
            return bad(fmt::format("the request's subject contains {}, which is not allowed",
                                   crypto::describe_oid(name.oid)));
    // The common name and the serial number are compared, so they must be strings. Others may be copied
    // unchanged.
    for (const auto& name : contents.subject)
        if (name.value.empty() && !has(allowed, name.oid))
            return bad(fmt::format("the request's subject contains {} that is empty or not a string",
                                   crypto::describe_oid(name.oid)));
    return std::nullopt;
}

} // namespace

void read_name(crypto::Csr& csr, bool cn_is_name)
{
    if (!cn_is_name) return;
    if (auto name = crypto::name_in_subject(csr)) csr.identifiers.push_back(std::move(*name));
}

ContentsVerdict judge_contents(const crypto::Csr& csr, const Allowed& allowed)
{
    ContentsVerdict verdict;
    const auto contents = crypto::request_contents(csr);
    if (!contents) {
        verdict.refused = bad(contents.error().message, Ground::malformed);
        return verdict;
    }
    verdict.refused = judge_requested(*contents, csr.key, allowed);
    verdict.subject_refused = judge_attributes(*contents, allowed);
    for (const auto& name : contents->subject)
        if (name.oid == crypto::oid::kSerialNumber && !has(allowed, crypto::oid::kSerialNumber))
            verdict.serial_number = name.value;
    return verdict;
}

bool can_be_allowed(std::string_view word)
{
    const auto* const usage = std::find(kKeyUsages.begin(), kKeyUsages.end(), word);
    if (usage == kKeyUsages.end()) return der::oid(word).has_value();
    return !is_among(kKeyUsagesOfCas, static_cast<std::size_t>(usage - kKeyUsages.begin()));
}

std::optional<Refused> judge_subject(const ContentsVerdict& verdict, const Device& device)
{
    if (verdict.subject_refused) return verdict.subject_refused;
    if (verdict.serial_number.empty() || verdict.serial_number == device.serial) return std::nullopt;
    return bad(fmt::format("the request's subject contains the serialNumber {} instead of the device's, {}",
                           base::printable(verdict.serial_number, 100),
                           device.serial.empty() ? "not known" : base::printable(device.serial, 100)));
}

} // namespace acmetool::ra
