#include "teap/explain.h"

#include <fmt/core.h>

#include "base/octets.h"
#include "base/text.h"
#include "crypto/cms.h"
#include "crypto/csr.h"
#include "crypto/key_type.h"
#include "teap/crypto_binding.h"

namespace acmetool::teap
{
namespace
{

constexpr std::size_t kMostShown = 64; ///< octets in hexadecimal
constexpr std::size_t kLongestName = 200;

std::string hex(ByteView octets)
{
    return to_hex(octets.first(std::min(octets.size(), kMostShown))) +
           (octets.size() > kMostShown ? "..." : "");
}

std::string status_word(Status status)
{
    return status == Status::success ? "Success" : "Failure";
}

std::string number(ByteView octets)
{
    std::uint64_t value = 0;
    for (const auto octet : octets.first(std::min<std::size_t>(octets.size(), 4)))
        value = value << 8U | octet;
    return std::to_string(value);
}

std::string mac(std::string_view name, const std::array<std::uint8_t, 20>& value)
{
    if (value == std::array<std::uint8_t, 20>{}) return {};
    return fmt::format(", {} {}", name, to_hex(value));
}

std::string crypto_binding(const Tlv& tlv)
{
    const auto binding = parse_crypto_binding(tlv);
    if (!binding) return hex(tlv.value);
    return fmt::format("{}, version {}, received version {}, flags {}, nonce {}{}{}",
                       binding->sub_type == CryptoBinding::kRequest ? "request" : "response",
                       binding->version, binding->received_version, binding->flags, to_hex(binding->nonce),
                       mac("EMSK-MAC", binding->emsk_mac), mac("MSK-MAC", binding->msk_mac));
}

std::string pkcs10(const Tlv& tlv)
{
    const auto csr = crypto::parse_csr(as_text(tlv.value));
    if (!csr) return hex(tlv.value);
    std::vector<std::string> names;
    for (const auto& identifier : csr->identifiers)
        names.push_back(identifier.value);
    return fmt::format(
        "for {}, key {}{}", names.empty() ? "no name" : base::printable(base::join(names, " "), kLongestName),
        crypto::name_of_key(csr->key), csr->challenge_password ? ", with challengePassword" : "");
}

/// One line per certificate of a certs-only message.
std::vector<std::string> certificates(ByteView der)
{
    std::vector<std::string> lines;
    const auto parsed = crypto::parse_certs_only(der);
    if (!parsed) return {hex(der)};
    for (const auto& one : *parsed) {
        std::vector<std::string> names;
        for (const auto& identifier : one.identifiers())
            names.push_back(identifier.value);
        lines.push_back(fmt::format(
            "certificate {}, subject \"{}\"{}, issuer \"{}\"", one.serial(),
            base::printable(one.subject(), kLongestName),
            names.empty() ? "" : " (" + base::printable(base::join(names, " "), kLongestName) + ")",
            base::printable(one.issuer(), kLongestName)));
    }
    return lines;
}

/// The value in one line, without the parts on separate lines.
std::string value_of(const Tlv& tlv, const BrskiNumbers& numbers)
{
    const ByteView value{tlv.value};
    switch (tlv.type) {
    case tlv_type::kAuthorityId:
        return fmt::format("{} \"{}\"", hex(value), base::printable(as_text(value), kLongestName));
    case tlv_type::kIdentityType:
        return number(value) + (number(value) == "1" ? " (user)" : number(value) == "2" ? " (machine)" : "");
    case tlv_type::kResult:
    case tlv_type::kIntermediateResult:
        if (const auto status = parse_result(tlv)) return status_word(*status);
        break;
    case tlv_type::kNak:
        if (value.size() >= 6)
            return fmt::format("of {}, vendor {}", name_of_tlv(base::number16(value.subspan(4)), numbers),
                               number(value));
        break;
    case tlv_type::kError:
        if (const auto code = parse_error(tlv)) return words_of_error(*code, numbers);
        break;
    case tlv_type::kRequestAction:
        if (const auto action = parse_request_action(tlv))
            return fmt::format("status {}, action {}", status_word(action->status),
                               action->action == RequestAction::kProcessTlv ? "Process-TLV"
                                                                            : std::to_string(action->action));
        break;
    case tlv_type::kTrustedServerRoot:
        if (value.size() >= 2) return "format " + number(value.first(2));
        break;
    case tlv_type::kCryptoBinding:
        return crypto_binding(tlv);
    case tlv_type::kPkcs10:
        return pkcs10(tlv);
    case tlv_type::kPkcs7:
        return {};
    default:
        break;
    }
    if (tlv.type == numbers.retry_after)
        if (const auto seconds = parse_retry_after(tlv)) return fmt::format("{} s", *seconds);
    if (tlv.type == numbers.nai) return "\"" + base::printable(as_text(value), kLongestName) + "\"";
    return hex(value);
}

enum class Depth { top, inside };

std::vector<std::string> explain_at(Depth depth, const Tlvs& tlvs, const BrskiNumbers& numbers);

/// The separate lines below a TLV. Of a Request-Action in another one there are none: a peer can nest ten
/// thousand.
std::vector<std::string> lines_of(Depth depth, const Tlv& tlv, const BrskiNumbers& numbers)
{
    if (tlv.type == tlv_type::kPkcs7) return certificates(tlv.value);
    if (tlv.type == tlv_type::kRequestAction && depth == Depth::top)
        if (const auto action = parse_request_action(tlv))
            return explain_at(Depth::inside, action->tlvs, numbers);
    if (tlv.type == tlv_type::kTrustedServerRoot)
        if (const auto der = parse_trusted_server_root(tlv); der && *der) return certificates(**der);
    return {};
}

std::vector<std::string> explain_at(Depth depth, const Tlvs& tlvs, const BrskiNumbers& numbers)
{
    std::vector<std::string> lines;
    for (const auto& tlv : tlvs) {
        const auto value = tlv.value.empty() ? std::string{} : value_of(tlv, numbers);
        lines.push_back(fmt::format("{} ({}{}), {} octets{}{}", name_of_tlv(tlv.type, numbers), tlv.type,
                                    tlv.mandatory ? ", M" : "", tlv.value.size(), value.empty() ? "" : ": ",
                                    value));
        for (const auto& line : lines_of(depth, tlv, numbers))
            lines.push_back("  " + line);
    }
    return lines;
}

} // namespace

std::vector<std::string> explain(const Tlvs& tlvs, const BrskiNumbers& numbers)
{
    return explain_at(Depth::top, tlvs, numbers);
}

} // namespace acmetool::teap
