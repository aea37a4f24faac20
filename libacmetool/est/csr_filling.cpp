#include "est/csr_filling.h"

#include <algorithm>

#include <fmt/core.h>

#include "base/text.h"
#include "crypto/alternative_name.h"
#include "crypto/der.h"
#include "crypto/key_type.h"
#include "crypto/oids.h"
#include "est/csrattrs_oids.h"

namespace acmetool::est
{
namespace
{

namespace der = crypto::der;

constexpr std::size_t kLongestCommonName = 64; // RFC 5280 appendix A.1, ub-common-name
constexpr std::uint8_t kEmail = 0x81;          // GeneralName's choices with their tags
constexpr std::uint8_t kDnsName = 0x82;
constexpr std::uint8_t kDirectoryName = 0xa4;
constexpr std::uint8_t kUri = 0x86;
constexpr std::uint8_t kIpAddress = 0x87;

bool is_open(const der::Element& name)
{
    const bool empty_directory = name.tag == kDirectoryName && name.value.size() == 2 &&
                                 name.value[0] == der::kSequence && name.value[1] == 0;
    return name.value.empty() || empty_directory;
}

std::string choice_name(std::uint8_t tag)
{
    switch (tag) {
    case kEmail:
        return "rfc822Name";
    case kDnsName:
        return "dNSName";
    case kDirectoryName:
        return "directoryName";
    case kUri:
        return "uniformResourceIdentifier";
    case kIpAddress:
        return "iPAddress";
    default:
        return "another kind of name";
    }
}

/// The one GeneralName for `identifier`, DER; empty if it cannot be encoded.
Bytes general_name(const crypto::Identifier& identifier)
{
    const auto names = crypto::encode_alternative_name({identifier});
    if (!names) return {};
    const auto list = der::Reader{*names}.expect(der::kSequence, "GeneralNames");
    return list ? Bytes(list->value.begin(), list->value.end()) : Bytes{};
}

/// True if two GeneralNames are the same; DNS names have no case.
bool same_entry(ByteView a, ByteView b)
{
    if (a.empty() || b.empty() || a[0] != kDnsName) return std::ranges::equal(a, b);
    return base::equals_ignoring_case(as_text(a), as_text(b));
}

/// Fills a subject alternative name.
class SanFilling
{
public:
    SanFilling(const Filling& filling, std::vector<Unfilled>& unfilled) : unfilled_(unfilled)
    {
        for (const auto& identifier : filling.identifiers)
            want(identifier, true);
        for (const auto& identifier : filling.suggestions)
            want(identifier, false);
    }

    /// The extension's value; empty if it has no entries.
    Result<Bytes> fill(const RequestedExtension& extension)
    {
        if (!extension.value) return everything();
        const auto outer = der::Reader{*extension.value}.expect(der::kSequence, "GeneralNames");
        if (!outer) return fail(outer.error());
        std::vector<der::Element> names;
        for (der::Reader reader{outer->value}; !reader.at_end();) {
            ACMETOOL_TRY(name, reader.next("GeneralName"));
            names.push_back(name);
        }
        for (const auto& name : names) // a name set by the server needs no place
            std::erase_if(wanted_, [&](const Wanted& w) { return same_entry(w.der, name.whole); });
        Bytes filled;
        for (const auto& name : names)
            der::append(filled, is_open(name) ? take(name.tag) : Bytes(name.whole.begin(), name.whole.end()));
        for (const auto& left : wanted_)
            if (left.required)
                return fail(Errc::bad_input,
                            fmt::format("the CSR attributes leave no room for {}",
                                        base::printable(left.identifier.value)),
                            "the EST server sets the names of this device; omit --dns and --ip",
                            "csrattrsSan");
        return filled.empty() ? Bytes{} : der::element(der::kSequence, filled);
    }

private:
    struct Wanted {
        crypto::Identifier identifier;
        Bytes der;
        bool required;
    };

    /// A name that was given twice takes one place.
    void want(const crypto::Identifier& identifier, bool required)
    {
        auto der = general_name(identifier);
        if (std::none_of(wanted_.begin(), wanted_.end(),
                         [&](const Wanted& w) { return same_entry(w.der, der); }))
            wanted_.push_back({identifier, std::move(der), required});
    }

    Result<Bytes> everything()
    {
        Bytes filled;
        for (const auto& wanted : wanted_)
            der::append(filled, wanted.der);
        if (!filled.empty()) return der::element(der::kSequence, filled);
        unfilled_.push_back({"subjectAltName", "--dns"});
        return Bytes{};
    }

    /// The next unused name of this kind; marks it as used.
    Bytes take(std::uint8_t tag)
    {
        const auto found = std::find_if(wanted_.begin(), wanted_.end(), [&](const Wanted& wanted) {
            return !wanted.der.empty() && wanted.der.front() == tag;
        });
        if (found == wanted_.end()) {
            const auto* option = tag == kDnsName ? "--dns" : tag == kIpAddress ? "--ip" : "";
            unfilled_.push_back({choice_name(tag) + " of subjectAltName", option});
            return {};
        }
        Bytes name = std::move(found->der);
        wanted_.erase(found);
        return name;
    }

    std::vector<Unfilled>& unfilled_;
    std::vector<Wanted> wanted_;
};

/// The client's value for an extension of which the server gave only the OID; empty: unknown.
Bytes customary_value(std::string_view oid)
{
    if (oid == crypto::oid::kKeyUsage) return {0x03, 0x02, 0x07, 0x80}; // digitalSignature
    if (oid == crypto::oid::kExtKeyUsage)                               // id-kp-clientAuth
        return {0x30, 0x0a, 0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x02};
    if (oid == crypto::oid::kBasicConstraints) return {0x30, 0x00};
    return {};
}

std::string first_dns_name(const std::vector<crypto::Extension>& extensions, const Filling& filling)
{
    for (const auto& extension : extensions) {
        if (extension.oid != crypto::oid::kSubjectAltName) continue;
        for (const auto& identifier : crypto::decode_alternative_name(extension.value))
            if (identifier.type == "dns") return identifier.value;
    }
    for (const auto* list : {&filling.identifiers, &filling.suggestions})
        for (const auto& identifier : *list)
            if (identifier.type == "dns") return identifier.value;
    return {};
}

/// The value of an attribute of the subject that the server left open, as DER; empty: the client has none.
Bytes subject_value(const RequestedName& name, const Filling& filling, const std::string& dns_name)
{
    constexpr std::uint8_t kPrintableString = 0x13; // X.520: serialNumber is a PrintableString
    std::string text;
    if (name.oid == crypto::oid::kCommonName)
        text = filling.common_name.empty() ? dns_name : filling.common_name;
    if (name.oid == crypto::oid::kSerialNumber) text = filling.serial_number;
    if (text.empty() || text.size() > kLongestCommonName) return {};
    return der::element(name.oid == crypto::oid::kSerialNumber ? kPrintableString : der::kUtf8String,
                        as_bytes(text));
}

Result<Bytes> fill_subject(const CsrAttrs& asked, const Filling& filling, const std::string& dns_name,
                           std::vector<Unfilled>& unfilled)
{
    Bytes rdns;
    for (const auto& rdn : *asked.subject) {
        std::vector<Bytes> set;
        for (const auto& name : rdn) {
            const auto value = name.open() ? subject_value(name, filling, dns_name) : name.value;
            if (value.empty()) {
                const auto* option = name.oid == crypto::oid::kCommonName     ? "--cn"
                                     : name.oid == crypto::oid::kSerialNumber ? "--idevid"
                                                                              : "";
                unfilled.push_back({fmt::format("{} of the subject", name.name), option});
                continue;
            }
            ACMETOOL_TRY(type, der::oid(name.oid));
            set.push_back(der::element(der::kSequence, {type, value}));
        }
        std::sort(set.begin(), set.end()); // X.690 section 11.6: SET OF in ascending order
        Bytes members;
        for (const auto& member : set)
            der::append(members, member);
        if (!members.empty()) der::append(rdns, der::element(der::kSet, members));
    }
    return der::element(der::kSequence, rdns);
}

} // namespace

Result<FilledCsr> fill_csr(const CsrAttrs& asked, const Filling& filling)
{
    FilledCsr filled;
    filled.options.digest = asked.digest;
    bool san_asked = false;
    for (const auto& extension : asked.extensions) {
        Bytes value;
        if (extension.oid == crypto::oid::kSubjectAltName) {
            san_asked = true;
            SanFilling san{filling, filled.unfilled};
            ACMETOOL_TRY(names, san.fill(extension));
            value = std::move(names);
            if (value.empty()) continue;
        } else {
            value = extension.value ? *extension.value : customary_value(extension.oid);
            if (!extension.value && value.empty()) {
                filled.unfilled.push_back({"extension " + extension.oid, ""});
                continue;
            }
        }
        filled.options.extensions.push_back({extension.oid, extension.critical, std::move(value)});
    }
    if (!san_asked) {
        filled.options.identifiers = filling.identifiers;
        filled.options.identifiers.insert(filled.options.identifiers.end(), filling.suggestions.begin(),
                                          filling.suggestions.end());
    }
    if (asked.subject) {
        const auto dns_name = first_dns_name(filled.options.extensions, filling);
        ACMETOOL_TRY(subject, fill_subject(asked, filling, dns_name, filled.unfilled));
        filled.options.subject = std::move(subject);
    } else {
        filled.options.common_name = filling.common_name;
    }
    return filled;
}

Result<void> check_key(const CsrAttrs& asked, const crypto::Key& key)
{
    const auto type = key.type();
    const bool any_size = asked.key_type == "ec" || asked.key_type == "rsa";
    if (asked.key_type.empty() || asked.key_type == type ||
        (any_size && type.starts_with(asked.key_type + ":")))
        return {};
    return fail(Errc::bad_input,
                fmt::format("the CSR attributes require a key of type {}, but this one is {}", asked.key_type,
                            crypto::name_of_key(key)),
                "give another key, or create one with --new-key", "csrattrsKey");
}

} // namespace acmetool::est
