#include "crypto/general_names.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <set>
#include <string_view>

#include "base/text.h"
#include "crypto/alternative_name.h"

namespace acmetool::crypto
{
namespace
{

std::string_view text_of(const ASN1_STRING* string)
{
    return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(string)),
            static_cast<std::size_t>(ASN1_STRING_length(string))};
}

/// The form of addresses in RFC 8738 section 3; inet_ntop's IPv6 form is that of RFC 5952. Empty: not an
/// address.
std::string address_text(const ASN1_OCTET_STRING* address)
{
    const int length = ASN1_STRING_length(address);
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (length != 4 && length != 16) return {};
    inet_ntop(length == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(address), text.data(), text.size());
    return text.data();
}

} // namespace

AlternativeNames read_general_names(const GENERAL_NAMES* names)
{
    AlternativeNames found;
    for (int i = 0; names != nullptr && i < sk_GENERAL_NAME_num(names); ++i) {
        const GENERAL_NAME* name = sk_GENERAL_NAME_value(names, i);
        if (name->type == GEN_DNS) {
            const auto text = text_of(name->d.dNSName);
            const bool malformed =
                std::any_of(text.begin(), text.end(), [](char c) { return c <= 0x20 || c >= 0x7f; });
            found.malformed |= malformed;
            found.identifiers.push_back({"dns", base::to_lower(malformed ? base::printable(text) : text)});
        } else if (name->type == GEN_IPADD) {
            auto text = address_text(name->d.iPAddress);
            found.malformed |= text.empty();
            found.identifiers.push_back({"ip", std::move(text)});
        } else if (name->type == GEN_EMAIL) {
            found.others.push_back("email:" + base::printable(text_of(name->d.rfc822Name)));
        } else if (name->type == GEN_URI) {
            found.others.push_back("uri:" + base::printable(text_of(name->d.uniformResourceIdentifier)));
        } else {
            found.others.push_back("another kind of name");
        }
    }
    auto& list = found.identifiers;
    std::sort(list.begin(), list.end());
    list.erase(std::unique(list.begin(), list.end()), list.end());
    return found;
}

GeneralNamesPtr make_general_names(const std::vector<Identifier>& identifiers)
{
    GeneralNamesPtr names{GENERAL_NAMES_new()};
    std::set<Identifier> seen; // names in lower case, addresses as octets
    for (const auto& identifier : identifiers) {
        Owned<GENERAL_NAME, GENERAL_NAME_free> name{GENERAL_NAME_new()};
        Owned<ASN1_STRING, ASN1_STRING_free> value{
            ASN1_STRING_type_new(identifier.type == "dns" ? V_ASN1_IA5STRING : V_ASN1_OCTET_STRING)};
        if (!names || !name || !value) return nullptr;
        if (identifier.type == "dns") {
            if (!seen.insert({"dns", base::to_lower(identifier.value)}).second) continue;
            ASN1_STRING_set(value.get(), identifier.value.data(), static_cast<int>(identifier.value.size()));
            GENERAL_NAME_set0_value(name.get(), GEN_DNS, value.release());
        } else {
            std::array<unsigned char, 16> octets{};
            const bool v4 = inet_pton(AF_INET, identifier.value.c_str(), octets.data()) == 1;
            if (!v4 && inet_pton(AF_INET6, identifier.value.c_str(), octets.data()) != 1) return nullptr;
            if (!seen.insert({"ip", {octets.begin(), octets.begin() + (v4 ? 4 : 16)}}).second) continue;
            ASN1_STRING_set(value.get(), octets.data(), v4 ? 4 : 16);
            GENERAL_NAME_set0_value(name.get(), GEN_IPADD, value.release());
        }
        sk_GENERAL_NAME_push(names.get(), name.release());
    }
    return names;
}

Result<Bytes> encode_alternative_name(const std::vector<Identifier>& identifiers)
{
    const auto names = make_general_names(identifiers);
    unsigned char* out = nullptr;
    const int size = names ? i2d_GENERAL_NAMES(names.get(), &out) : 0;
    const OpensslMemory owned{out};
    if (size <= 0) return openssl_failure(Errc::config, "a name that cannot be encoded");
    return Bytes(out, out + size);
}

std::vector<Identifier> decode_alternative_name(ByteView der)
{
    const auto* data = der.data();
    const GeneralNamesPtr names{d2i_GENERAL_NAMES(nullptr, &data, static_cast<long>(der.size()))};
    static_cast<void>(openssl_failure(Errc::internal, {})); // what cannot be read names nobody
    return read_general_names(names.get()).identifiers;
}

} // namespace acmetool::crypto
