#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "base/octets.h"
#include "base/result.h"

/// DER (X.690) for structures without a type in OpenSSL. Tag numbers up to 30, which are all that PKIX uses.
namespace acmetool::crypto::der
{

inline constexpr std::uint8_t kBoolean = 0x01;
inline constexpr std::uint8_t kInteger = 0x02;
inline constexpr std::uint8_t kBitString = 0x03;
inline constexpr std::uint8_t kOctetString = 0x04;
inline constexpr std::uint8_t kOid = 0x06;
inline constexpr std::uint8_t kUtf8String = 0x0c;
inline constexpr std::uint8_t kSequence = 0x30;
inline constexpr std::uint8_t kSet = 0x31;
/// A constructed context-specific tag, "[number]".
constexpr std::uint8_t context(unsigned number)
{
    return static_cast<std::uint8_t>(0xa0U | number);
}

struct Element {
    std::uint8_t tag = 0;
    ByteView value; ///< borrowed from the input
    ByteView whole; ///< with tag and length
};

/// Reads a sequence of elements. Errors are bad_input and say what was expected; callers replace code and
/// reason.
class Reader
{
public:
    explicit Reader(ByteView bytes) : rest_(bytes) {}

    bool at_end() const { return rest_.empty(); }
    /// True if the next element has this tag.
    bool next_is(std::uint8_t tag) const { return !rest_.empty() && rest_.front() == tag; }
    /// The next element. `what` names it in the message.
    Result<Element> next(std::string_view what);
    /// The same; the tag must be `tag`.
    Result<Element> expect(std::uint8_t tag, std::string_view what);
    /// Fails if octets remain.
    Result<void> end(std::string_view what) const;

private:
    ByteView rest_;
};

/// Checks all lengths of one element that fills `bytes`, including constructed elements inside it, to
/// `depth`.
Result<void> check_nesting(ByteView bytes, int depth = 24);

/// Checks that `bytes` are one element in the distinguished encoding, to `depth`: definite and minimal
/// lengths, no string in parts, BOOLEANs of 00 or ff, minimal INTEGERs (X.690 sections 8.3.2, 10, 11.1). The
/// content of an OCTET STRING or BIT STRING and the order of a SET OF are not checked.
Result<void> check_der(ByteView bytes, int depth = 24);

/// An object identifier's content as dotted decimal.
Result<std::string> oid_text(ByteView content);
/// A non-negative INTEGER's content; bad_input if it is negative, not minimal, or above 2^31-1.
Result<int> small_integer(ByteView content, std::string_view what);

Bytes element(std::uint8_t tag, ByteView content);
/// The concatenation of `parts` in one element.
Bytes element(std::uint8_t tag, std::initializer_list<Bytes> parts);
Bytes integer(unsigned number);
/// bad_input if `dotted` is not an object identifier.
Result<Bytes> oid(std::string_view dotted);

using base::append;

} // namespace acmetool::crypto::der
