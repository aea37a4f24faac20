#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

/// EAP packets (RFC 3748 section 4) and the TEAP framing inside them (RFC 7170 section 4.1).
namespace acmetool::teap
{

enum class EapCode : std::uint8_t { request = 1, response = 2, success = 3, failure = 4 };

namespace eap_type
{
inline constexpr std::uint8_t kIdentity = 1;
inline constexpr std::uint8_t kNotification = 2;
inline constexpr std::uint8_t kNak = 3;
inline constexpr std::uint8_t kTeap = 55;
} // namespace eap_type

/// Packets in one direction after which either end aborts a conversation.
inline constexpr unsigned kMostRounds = 200;

struct ACMETOOL_EXPORT EapPacket {
    EapCode code = EapCode::request;
    std::uint8_t identifier = 0;
    std::uint8_t type = 0; ///< 0 in Success and Failure
    Bytes data;            ///< after the type

    Bytes encode() const;
};

/// Reads one packet; octets after its Length are ignored. Errc::protocol, reason "eapPacket".
ACMETOOL_EXPORT Result<EapPacket> parse_eap(ByteView octets);

inline constexpr std::uint8_t kTeapVersion = 1;

/// One TEAP packet: a message or a fragment of one.
struct ACMETOOL_EXPORT Frame {
    bool more = false;  ///< M: fragments follow
    bool start = false; ///< S
    std::uint8_t version = kTeapVersion;
    std::optional<std::uint32_t> message_length;   ///< L: of the whole message
    std::optional<std::uint32_t> outer_tlv_length; ///< O: of the outer TLVs, the message's last octets
    Bytes data;                                    ///< TLS data, then outer TLVs

    bool is_acknowledgement() const { return !more && !start && data.empty() && !outer_tlv_length; }
    Bytes encode() const; ///< the EAP packet's data
};

/// Reads an EAP packet's data. Errc::protocol, reason "teapFrame".
ACMETOOL_EXPORT Result<Frame> parse_frame(ByteView data);

} // namespace acmetool::teap
