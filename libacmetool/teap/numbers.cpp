#include "teap/numbers.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string>
#include <variant>

#include <fmt/core.h>

#include "base/text.h"

namespace acmetool::teap
{
namespace
{

struct Named {
    std::string_view name;
    std::variant<std::uint16_t BrskiNumbers::*, std::uint32_t BrskiNumbers::*> member;
    std::uint32_t least;
    std::uint32_t most;
};
constexpr std::uint32_t kFirstTlv = tlv_type::kIdentityHint + 1;
constexpr std::uint32_t kLastTlv = 0x3fff;

/// Ranges as RFC 7170 section 4.2.6 divides them: 1000-1999 continue, 2000-2999 end the tunnel.
const std::array<Named, 13> kNamed{{
    {"request_voucher", &BrskiNumbers::request_voucher, kFirstTlv, kLastTlv},
    {"voucher", &BrskiNumbers::voucher, kFirstTlv, kLastTlv},
    {"retry_after", &BrskiNumbers::retry_after, kFirstTlv, kLastTlv},
    {"nai", &BrskiNumbers::nai, kFirstTlv, kLastTlv},
    {"masa_unavailable", &BrskiNumbers::masa_unavailable, 1033, 2999},
    {"masa_refused", &BrskiNumbers::masa_refused, 1033, 2999},
    {"invalid_signature", &BrskiNumbers::invalid_signature, 1033, 2999},
    {"invalid_voucher", &BrskiNumbers::invalid_voucher, 1033, 2999},
    {"invalid_tls_signer", &BrskiNumbers::invalid_tls_signer, 1033, 2999},
    {"csr_attributes_not_met", &BrskiNumbers::csr_attributes_not_met, 1033, 2999},
    {"retry_same_tunnel", &BrskiNumbers::retry_same_tunnel, 1033, 1999},
    {"retry_new_tunnel", &BrskiNumbers::retry_new_tunnel, 2010, 2999},
    {"nai_rejected", &BrskiNumbers::nai_rejected, 1033, 1999},
}};

std::uint32_t get(const BrskiNumbers& numbers, const Named& one)
{
    return std::visit([&](auto member) { return static_cast<std::uint32_t>(numbers.*member); }, one.member);
}

tl::unexpected<Error> bad_number(std::string_view assignment, std::string_view why, std::string hint = {})
{
    return fail(Errc::usage, fmt::format("\"{}\": {}", base::printable(assignment, 60), why), std::move(hint),
                "badNumber");
}

} // namespace

Result<void> set_number(BrskiNumbers& numbers, std::string_view assignment)
{
    const auto equals = assignment.find('=');
    std::string name{base::trim(assignment.substr(0, equals))};
    std::replace(name.begin(), name.end(), '-', '_');
    const auto* const found =
        std::find_if(kNamed.begin(), kNamed.end(), [&](const Named& one) { return one.name == name; });
    if (found == kNamed.end() || equals == std::string_view::npos) {
        std::string names;
        for (const auto& one : kNamed)
            names += (names.empty() ? "" : ", ") + std::string{one.name};
        return bad_number(assignment, "not NAME=NUMBER with a known name", "known names: " + names);
    }
    auto text = base::trim(assignment.substr(equals + 1));
    const bool hexadecimal = text.starts_with("0x");
    if (hexadecimal) text.remove_prefix(2);
    std::uint32_t number = 0;
    const auto [end, problem] =
        std::from_chars(text.data(), text.data() + text.size(), number, hexadecimal ? 16 : 10);
    if (problem != std::errc{} || end != text.data() + text.size() || number < found->least ||
        number > found->most)
        return bad_number(assignment, fmt::format("not a number from {} to {}", found->least, found->most));
    const bool tlv = found->most == kLastTlv;
    if (!tlv && number >= 2000 && number <= error_code::kLastAssigned)
        return bad_number(assignment, "RFC 9930 has assigned the errors from 2000 to 2009");
    for (const auto& one : kNamed)
        if (one.name != found->name && get(numbers, one) == number && tlv == (one.most == kLastTlv))
            return bad_number(assignment, fmt::format("{} already has that number", one.name));
    std::visit(
        [&](auto member) { numbers.*member = static_cast<std::decay_t<decltype(numbers.*member)>>(number); },
        found->member);
    return {};
}

} // namespace acmetool::teap
