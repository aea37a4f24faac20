#pragma once

#include <cstdint>
#include <optional>

#include "teap/eap.h"

/// Messages longer than one EAP packet (RFC 7170 section 3.7, RFC 5216 section 2.1.5), and the outer TLVs at
/// the end of the first message of either side.
namespace acmetool::teap
{

/// The maximum size of an assembled message with TLS data and outer TLVs.
inline constexpr std::size_t kLargestMessage = 64U << 10U;

/// A whole message.
struct Message {
    Bytes tls;
    Bytes outer_tlvs; ///< as received, with headers; input of the Compound MAC
};

/// Splits a message into fragments.
class ACMETOOL_EXPORT Fragmenter
{
public:
    /// `limit`: size of a whole EAP packet; at least 32 is used.
    void load(Message message, bool start, std::size_t limit);
    /// True if the message is one packet within `limit`. The first one of either side should be: there are
    /// peers that look for its outer TLVs at the end of the first fragment.
    static bool fits(const Message& message, std::size_t limit);
    /// True while fragments remain.
    bool pending() const { return loaded_; }
    /// The next one; call only while pending().
    Frame next();

private:
    Bytes data_;
    std::size_t at_ = 0;
    std::size_t limit_ = 0;
    std::optional<std::uint32_t> outer_length_;
    bool start_ = false;
    bool loaded_ = false;
};

/// Assembles a message.
class ACMETOOL_EXPORT Reassembler
{
public:
    /// Adds the next fragment. Returns the message once it is complete, nothing before (the caller
    /// acknowledges). Errc::protocol, reason "teapFragments": over kLargestMessage, more or fewer octets than
    /// announced, a fragment without data, too many of them.
    Result<std::optional<Message>> take(const Frame& frame);
    bool in_progress() const { return fragments_ > 0; }

private:
    Bytes data_;
    std::size_t fragments_ = 0;
    std::optional<std::uint32_t> announced_;
    std::optional<std::uint32_t> outer_length_;
};

} // namespace acmetool::teap
