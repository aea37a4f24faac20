#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace acmetool::net
{

/// An address literal as inet_ntop(3) writes it, with its zone if it has one; an IPv4 address that is mapped
/// into IPv6 as IPv4; nothing if it is none.
ACMETOOL_EXPORT std::optional<std::string> canonical_address(std::string_view text);

/// One address, or all with the same first bits: "192.0.2.1", "10.0.0.0/8", "2001:db8::/32". With a zone, as
/// in "fe80::1%eth0" and "fe80::%eth0/10", only those of that link (RFC 4007); without, those of any.
class ACMETOOL_EXPORT AddressRange
{
public:
    /// Errc::usage; bits behind the prefix have to be 0.
    static Result<AddressRange> parse(std::string_view text);
    /// `address` is a literal; what is none is in no range.
    bool contains(std::string_view address) const;
    /// Of the prefix, in bits of 128: the longer, the narrower.
    unsigned length() const { return bits_; }

private:
    std::array<std::uint8_t, 16> first_{}; ///< IPv4 mapped
    unsigned bits_ = 0;                    ///< of the 128
    std::string zone_;                     ///< empty: any
};

} // namespace acmetool::net
