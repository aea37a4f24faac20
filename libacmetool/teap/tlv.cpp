#include "teap/tlv.h"

#include <algorithm>
#include <array>

#include <fmt/core.h>

#include "base/octets.h"

namespace acmetool::teap
{
namespace
{

constexpr std::uint8_t kMandatory = 0x80;
constexpr std::uint8_t kTypeMask = 0x3f;
constexpr std::size_t kHeader = 4;
constexpr std::size_t kMostTlvs = 64;
constexpr std::uint16_t kPkcs7ServerCertificateRoot = 1;
constexpr std::size_t kLongestText = 1000; ///< after which describe() shows nothing more

tl::unexpected<Error> bad_tlv(std::string_view what)
{
    return fail(Errc::protocol, "TLV: " + std::string{what}, {}, "teapTlv");
}

enum class Inside { shown, counted };

std::string list(const Tlvs& tlvs, const BrskiNumbers& numbers, Inside inside);

/// TLVs in a Request-Action are shown, those in one of them are not: a peer can nest ten thousand.
std::string describe_one(const Tlv& tlv, const BrskiNumbers& numbers, Inside inside)
{
    const auto name = name_of_tlv(tlv.type, numbers);
    switch (tlv.type) {
    case tlv_type::kResult:
    case tlv_type::kIntermediateResult:
        if (const auto status = parse_result(tlv))
            return fmt::format("{}={}", name, *status == Status::success ? "Success" : "Failure");
        break;
    case tlv_type::kError:
        if (const auto code = parse_error(tlv))
            return fmt::format("{}={}", name, words_of_error(*code, numbers));
        break;
    case tlv_type::kRequestAction:
        if (inside == Inside::counted) break;
        if (const auto action = parse_request_action(tlv))
            return fmt::format("{}(Status={}, Action={}: {})", name,
                               action->status == Status::success ? "Success" : "Failure",
                               action->action == RequestAction::kProcessTlv     ? "Process-TLV"
                               : action->action == RequestAction::kNegotiateEap ? "Negotiate-EAP"
                                                                                : "unknown",
                               list(action->tlvs, numbers, Inside::counted));
        break;
    default:
        break;
    }
    if (tlv.type == numbers.retry_after)
        if (const auto seconds = parse_retry_after(tlv)) return fmt::format("{}={} s", name, *seconds);
    return tlv.value.empty() ? name : fmt::format("{} ({} octets)", name, tlv.value.size());
}

std::string list(const Tlvs& tlvs, const BrskiNumbers& numbers, Inside inside)
{
    std::string text;
    for (const auto& tlv : tlvs) {
        if (!text.empty()) text += ", ";
        if (text.size() > kLongestText) return text + "...";
        text += describe_one(tlv, numbers, inside);
    }
    return text;
}

} // namespace

Result<Tlvs> parse_tlvs(ByteView octets)
{
    Tlvs tlvs;
    while (!octets.empty()) {
        if (octets.size() < kHeader) return bad_tlv("shorter than its header");
        const std::size_t length = base::number16(octets.subspan(2));
        if (length > octets.size() - kHeader) return bad_tlv("longer than the message");
        if (tlvs.size() == kMostTlvs) return bad_tlv("too many in one message");
        const auto value = octets.subspan(kHeader, length);
        tlvs.push_back({(octets[0] & kMandatory) != 0,
                        static_cast<std::uint16_t>((octets[0] & kTypeMask) << 8U | octets[1]),
                        {value.begin(), value.end()}});
        octets = octets.subspan(kHeader + length);
    }
    return tlvs;
}

Bytes encode(const Tlvs& tlvs)
{
    Bytes octets;
    for (const auto& tlv : tlvs) {
        base::append16(octets, tlv.type);
        if (tlv.mandatory) octets[octets.size() - 2] |= kMandatory;
        base::append16(octets, static_cast<std::uint16_t>(tlv.value.size()));
        base::append(octets, tlv.value);
    }
    return octets;
}

const Tlv* find(const Tlvs& tlvs, std::uint16_t type)
{
    const auto found =
        std::find_if(tlvs.begin(), tlvs.end(), [type](const Tlv& tlv) { return tlv.type == type; });
    return found == tlvs.end() ? nullptr : &*found;
}

std::string name_of_tlv(std::uint16_t type, const BrskiNumbers& numbers)
{
    static constexpr std::array<const char*, 20> kNames{nullptr,
                                                        "Authority-ID",
                                                        "Identity-Type",
                                                        "Result",
                                                        "NAK",
                                                        "Error",
                                                        "Channel-Binding",
                                                        "Vendor-Specific",
                                                        "Request-Action",
                                                        "EAP-Payload",
                                                        "Intermediate-Result",
                                                        "PAC",
                                                        "Crypto-Binding",
                                                        "Basic-Password-Auth-Req",
                                                        "Basic-Password-Auth-Resp",
                                                        "PKCS#7",
                                                        "PKCS#10",
                                                        "Trusted-Server-Root",
                                                        "CSR-Attributes",
                                                        "Identity-Hint"};
    if (type != 0 && type < kNames.size()) return kNames[type];
    if (type == numbers.request_voucher) return "BRSKI-RequestVoucher";
    if (type == numbers.voucher) return "BRSKI-Voucher";
    if (type == numbers.retry_after) return "Retry-After";
    if (type == numbers.nai) return "NAI";
    return fmt::format("TLV {}", type);
}

std::string name_of_error(std::uint32_t code, const BrskiNumbers& numbers)
{
    struct Name {
        std::uint32_t code;
        const char* text;
    };
    static constexpr std::array<Name, 47> kNames{
        {{1, "user account expires soon"},
         {2, "user account credential expires soon"},
         {3, "user account authorizations change soon"},
         {4, "clock skew detected"},
         {5, "contact administrator"},
         {6, "user account credentials change required"},
         {1001, "inner method error"},
         {1002, "unspecified authentication infrastructure problem"},
         {1003, "unspecified authentication failure"},
         {1004, "unspecified authorization failure"},
         {1005, "user account credentials unavailable"},
         {1006, "user account expired"},
         {1007, "user account locked: try again later"},
         {1008, "user account locked: admin intervention required"},
         {1009, "authentication infrastructure unavailable"},
         {1010, "authentication infrastructure not trusted"},
         {1011, "clock skew too great"},
         {1012, "invalid inner realm"},
         {1013, "token out of sync: administrator intervention required"},
         {1014, "token out of sync: PIN change required"},
         {1015, "token revoked"},
         {1016, "tokens exhausted"},
         {1017, "challenge expired"},
         {1018, "challenge algorithm mismatch"},
         {1019, "client certificate not supplied"},
         {1020, "client certificate rejected"},
         {1021, "realm mismatch between inner and outer identity"},
         {1022, "unsupported algorithm in certificate signing request"},
         {1023, "unsupported extension in certificate signing request"},
         {1024, "bad identity in certificate signing request"},
         {1025, "bad certificate signing request"},
         {1026, "internal CA error"},
         {1027, "general PKI error"},
         {1028, "inner method's channel-binding data required but not supplied"},
         {1029, "inner method's channel-binding data did not include required information"},
         {1030, "inner method's channel binding failed"},
         {1031, "user account credentials incorrect"},
         {1032, "inner method not supported"},
         {2001, "tunnel compromise error"},
         {2002, "unexpected TLVs exchanged"},
         {2003, "Crypto-Binding invalid"},
         {2004, "the first inner method derived no EMSK"},
         {2005, "no MSK Compound-MAC, which is required"},
         {2006, "MSK Compound-MAC wrong"},
         {2007, "no EMSK Compound-MAC, which is required"},
         {2008, "EMSK Compound-MAC wrong"},
         {2009, "EMSK Compound-MAC from a method without EMSK"}}};
    for (const auto& name : kNames)
        if (name.code == code) return name.text;
    if (code == numbers.masa_unavailable) return "MASA unavailable";
    if (code == numbers.masa_refused) return "MASA refused";
    if (code == numbers.invalid_signature) return "voucher signature invalid";
    if (code == numbers.invalid_voucher) return "voucher invalid";
    if (code == numbers.invalid_tls_signer) return "TLS signer not validated by the voucher";
    if (code == numbers.csr_attributes_not_met) return "CSR attributes not met";
    if (code == numbers.retry_same_tunnel) return "send the PKCS#10 again in this tunnel";
    if (code == numbers.retry_new_tunnel) return "send the PKCS#10 again in a new tunnel";
    if (code == numbers.nai_rejected) return "NAI rejected";
    return {};
}

std::string words_of_error(std::uint32_t code, const BrskiNumbers& numbers)
{
    const auto name = name_of_error(code, numbers);
    return name.empty() ? std::to_string(code) : fmt::format("{} ({})", code, name);
}

std::string describe(const Tlvs& tlvs, const BrskiNumbers& numbers)
{
    return list(tlvs, numbers, Inside::shown);
}

Tlv result_tlv(Status status)
{
    return {true, tlv_type::kResult, {0, static_cast<std::uint8_t>(status)}};
}

Tlv intermediate_result_tlv(Status status)
{
    return {true, tlv_type::kIntermediateResult, {0, static_cast<std::uint8_t>(status)}};
}

Tlv error_tlv(std::uint32_t code)
{
    Tlv tlv{true, tlv_type::kError, {}};
    base::append32(tlv.value, code);
    return tlv;
}

Tlv identity_type_tlv(std::uint16_t type)
{
    Tlv tlv{false, tlv_type::kIdentityType, {}};
    base::append16(tlv.value, type);
    return tlv;
}

Tlv nak_tlv(const Tlv& refused)
{
    constexpr std::size_t kVendorId = 4;
    Tlv tlv{true, tlv_type::kNak, Bytes(kVendorId)}; // 0: the TLV is not a vendor's
    if (refused.type == tlv_type::kVendorSpecific && refused.value.size() >= kVendorId)
        std::copy_n(refused.value.begin(), kVendorId, tlv.value.begin());
    base::append16(tlv.value, refused.type);
    return tlv;
}

Tlv request_action_tlv(Status status, const Tlvs& tlvs)
{
    Tlv tlv{true, tlv_type::kRequestAction, {static_cast<std::uint8_t>(status), RequestAction::kProcessTlv}};
    const auto inside = encode(tlvs);
    base::append(tlv.value, inside);
    return tlv;
}

Tlv trusted_server_root_tlv(ByteView pkcs7)
{
    Tlv tlv{false, tlv_type::kTrustedServerRoot, {}};
    base::append16(tlv.value, kPkcs7ServerCertificateRoot);
    if (pkcs7.empty()) return tlv;
    const auto inside = encode({{false, tlv_type::kPkcs7, {pkcs7.begin(), pkcs7.end()}}});
    base::append(tlv.value, inside);
    return tlv;
}

Tlv retry_after_tlv(std::uint32_t seconds, const BrskiNumbers& numbers)
{
    Tlv tlv = error_tlv(seconds); // also four octets
    tlv.mandatory = false;
    tlv.type = numbers.retry_after;
    return tlv;
}

Result<Status> parse_result(const Tlv& tlv)
{
    // Intermediate-Result may contain TLVs after its status (section 4.2.11), Result must not.
    const bool fits = tlv.type == tlv_type::kResult ? tlv.value.size() == 2 : tlv.value.size() >= 2;
    if (!fits || tlv.value[0] != 0 || tlv.value[1] < 1 || tlv.value[1] > 2)
        return bad_tlv("a Result that is neither success nor failure");
    return static_cast<Status>(tlv.value[1]);
}

Result<std::uint32_t> parse_error(const Tlv& tlv)
{
    if (tlv.value.size() != 4) return bad_tlv("an Error that is not of four octets");
    return base::number32(tlv.value);
}

Result<RequestAction> parse_request_action(const Tlv& tlv)
{
    if (tlv.value.size() < 2 || tlv.value[0] < 1 || tlv.value[0] > 2)
        return bad_tlv("a Request-Action without status and action");
    RequestAction action;
    action.status = static_cast<Status>(tlv.value[0]);
    action.action = tlv.value[1];
    const auto inside = ByteView{tlv.value}.subspan(2);
    if (inside.size() == 2) { // elear/hostap-teapv2 sends only the type
        action.tlvs.push_back({(inside[0] & kMandatory) != 0,
                               static_cast<std::uint16_t>((inside[0] & kTypeMask) << 8U | inside[1]),
                               {}});
        return action;
    }
    ACMETOOL_TRY(tlvs, parse_tlvs(inside));
    action.tlvs = std::move(tlvs);
    return action;
}

Result<std::optional<Bytes>> parse_trusted_server_root(const Tlv& tlv)
{
    if (tlv.value.size() < 2) return bad_tlv("a Trusted-Server-Root without format");
    if (base::number16(tlv.value) != kPkcs7ServerCertificateRoot)
        return bad_tlv("a Trusted-Server-Root in an unknown format");
    const auto inside = ByteView{tlv.value}.subspan(2);
    if (inside.empty()) return std::optional<Bytes>{};
    constexpr std::uint8_t kDerSequence = 0x30;
    if (inside[0] == kDerSequence) return std::optional{Bytes{inside.begin(), inside.end()}};
    ACMETOOL_TRY(tlvs, parse_tlvs(inside));
    const auto* pkcs7 = find(tlvs, tlv_type::kPkcs7);
    if (pkcs7 == nullptr || pkcs7->value.empty())
        return bad_tlv("a Trusted-Server-Root without certificates");
    return std::optional{pkcs7->value};
}

Result<std::uint32_t> parse_retry_after(const Tlv& tlv)
{
    if (tlv.value.empty() || tlv.value.size() > 4)
        return bad_tlv("a Retry-After that is not of 1 to 4 octets");
    std::uint32_t seconds = 0;
    for (const auto octet : tlv.value)
        seconds = seconds << 8U | octet;
    return seconds;
}

const Tlv* unknown_mandatory(const Tlvs& tlvs, const BrskiNumbers& numbers)
{
    for (const auto& tlv : tlvs) {
        const bool known = (tlv.type >= tlv_type::kAuthorityId && tlv.type <= tlv_type::kIdentityHint &&
                            tlv.type != tlv_type::kVendorSpecific) ||
                           tlv.type == numbers.request_voucher || tlv.type == numbers.voucher ||
                           tlv.type == numbers.retry_after || tlv.type == numbers.nai;
        if (tlv.mandatory && !known) return &tlv;
    }
    return nullptr;
}

Result<void> check_duplicates(const Tlvs& tlvs)
{
    for (const auto type :
         {tlv_type::kResult, tlv_type::kIntermediateResult, tlv_type::kCryptoBinding, tlv_type::kEapPayload,
          tlv_type::kPkcs7, tlv_type::kPkcs10, tlv_type::kTrustedServerRoot, tlv_type::kCsrAttributes})
        if (std::count_if(tlvs.begin(), tlvs.end(), [type](const Tlv& tlv) { return tlv.type == type; }) > 1)
            return fail(Errc::protocol, fmt::format("more than one {} TLV in one message", name_of_tlv(type)),
                        {}, "teapDuplicate");
    std::array<unsigned, 2> actions{};
    for (const auto& tlv : tlvs)
        if (tlv.type == tlv_type::kRequestAction && !tlv.value.empty() &&
            ++actions[tlv.value[0] == static_cast<std::uint8_t>(Status::success) ? 0 : 1] > 1)
            return fail(Errc::protocol, "more than one Request-Action TLV of the same status in one message",
                        {}, "teapDuplicate");
    return {};
}

} // namespace acmetool::teap
