#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/secret.h"

/// RADIUS packets and their use of the shared secret (RFC 2865, RFC 3579, RFC 2548). Independent of sockets.
namespace acmetool::radius
{

inline constexpr std::size_t kHeaderSize = 20;
inline constexpr std::size_t kLargestPacket = 4096; ///< RFC 2865 section 3
inline constexpr std::size_t kLargestValue = 253;   ///< of one attribute

enum class Code : std::uint8_t {
    access_request = 1,
    access_accept = 2,
    access_reject = 3,
    accounting_request = 4,
    accounting_response = 5,
    access_challenge = 11,
    status_server = 12, ///< RFC 5997
};

/// Attribute numbers (RFC 2865 section 5, RFC 2866 section 5, RFC 3579 section 3, RFC 4072, RFC 3580, RFC
/// 4372, RFC 5176).
namespace attribute
{
inline constexpr std::uint8_t kUserName = 1;
inline constexpr std::uint8_t kNasIpAddress = 4;
inline constexpr std::uint8_t kNasPort = 5;
inline constexpr std::uint8_t kFilterId = 11;
inline constexpr std::uint8_t kFramedMtu = 12;
inline constexpr std::uint8_t kReplyMessage = 18;
inline constexpr std::uint8_t kState = 24;
inline constexpr std::uint8_t kClass = 25;
inline constexpr std::uint8_t kVendorSpecific = 26;
inline constexpr std::uint8_t kSessionTimeout = 27;
inline constexpr std::uint8_t kIdleTimeout = 28;
inline constexpr std::uint8_t kTerminationAction = 29;
inline constexpr std::uint8_t kCallingStationId = 31;
inline constexpr std::uint8_t kNasIdentifier = 32;
inline constexpr std::uint8_t kProxyState = 33;
inline constexpr std::uint8_t kAcctStatusType = 40;
inline constexpr std::uint8_t kAcctInputOctets = 42;
inline constexpr std::uint8_t kAcctOutputOctets = 43;
inline constexpr std::uint8_t kAcctSessionId = 44;
inline constexpr std::uint8_t kAcctSessionTime = 46;
inline constexpr std::uint8_t kAcctTerminateCause = 49;
inline constexpr std::uint8_t kNasPortType = 61;
inline constexpr std::uint8_t kPortLimit = 62;
inline constexpr std::uint8_t kTunnelType = 64;
inline constexpr std::uint8_t kTunnelMediumType = 65;
inline constexpr std::uint8_t kEapMessage = 79;
inline constexpr std::uint8_t kMessageAuthenticator = 80;
inline constexpr std::uint8_t kTunnelPrivateGroupId = 81;
inline constexpr std::uint8_t kAcctInterimInterval = 85;
inline constexpr std::uint8_t kNasPortId = 87;
inline constexpr std::uint8_t kChargeableUserIdentity = 89;
inline constexpr std::uint8_t kErrorCause = 101;
inline constexpr std::uint8_t kEapKeyName = 102;
} // namespace attribute

using Authenticator = std::array<std::uint8_t, 16>;

struct Attribute {
    std::uint8_t type = 0;
    Bytes value; ///< at most kLargestValue octets
};

struct ACMETOOL_EXPORT Packet {
    std::uint8_t code = 0;
    std::uint8_t identifier = 0;
    Authenticator authenticator{};
    std::vector<Attribute> attributes; ///< in the order of the packet

    /// The first attribute of this type, borrowed; null if there is none.
    const Bytes* find(std::uint8_t type) const;
    std::size_t count(std::uint8_t type) const;
    void add(std::uint8_t type, ByteView value);
    void add(std::uint8_t type, std::uint32_t value);
};

/// Reads one packet. Octets after its Length are padding and ignored. A packet shorter than its Length, a
/// Length outside 20 to 4096, and an attribute beyond the end are Errc::protocol, reason "radiusPacket".
ACMETOOL_EXPORT Result<Packet> parse_packet(ByteView octets);

/// All EAP-Message attributes joined (RFC 3579 section 3.1); empty if there is none. Errc::protocol if other
/// attributes are between them.
ACMETOOL_EXPORT Result<Bytes> eap_message(const Packet& packet);
/// Appends `eap` in attributes of at most 253 octets.
ACMETOOL_EXPORT void add_eap_message(Packet& packet, ByteView eap);

/// Encodes an Access-Request: with the given authenticator, and a Message-Authenticator first that replaces
/// any in the list. Errc::internal, reason "radiusTooLong", over kLargestPacket.
ACMETOOL_EXPORT Result<Bytes> encode_request(const Packet& packet, const base::Secret& secret);
/// Encodes an answer to the request that had `request_authenticator`; the authenticator in `packet` is
/// ignored. The Message-Authenticator comes first, except that an Accounting-Response has none (RFC 2869
/// section 5.19).
ACMETOOL_EXPORT Result<Bytes> encode_response(const Packet& packet, const base::Secret& secret,
                                              const Authenticator& request_authenticator);

/// True if the packet contains exactly one Message-Authenticator and it is correct (RFC 3579 section 3.2).
/// `authenticator` is used in the header for the computation: that of the request, also for an answer.
ACMETOOL_EXPORT bool has_valid_message_authenticator(ByteView octets, const base::Secret& secret,
                                                     const Authenticator& authenticator);
/// True if the Request Authenticator of an Accounting-Request is correct (RFC 2866 section 3).
ACMETOOL_EXPORT bool has_valid_request_authenticator(ByteView octets, const base::Secret& secret);
/// True if the Response Authenticator of an answer is correct (RFC 2865 section 3).
ACMETOOL_EXPORT bool has_valid_response_authenticator(ByteView octets, const base::Secret& secret,
                                                      const Authenticator& request_authenticator);

/// The keys in an Access-Accept (RFC 2548 section 2.4).
struct MppeKeys {
    Bytes recv; ///< MS-MPPE-Recv-Key: MSK octets 0 to 31
    Bytes send; ///< MS-MPPE-Send-Key: MSK octets 32 to 63
};
/// Appends both keys, encrypted for the request that had `request_authenticator`, with fresh salts.
ACMETOOL_EXPORT Result<void> add_mppe_keys(Packet& packet, ByteView msk, const base::Secret& secret,
                                           const Authenticator& request_authenticator);
/// Decrypts both keys. Errc::protocol, reason "mppeKeys", if one is missing or malformed.
ACMETOOL_EXPORT Result<MppeKeys> mppe_keys(const Packet& packet, const base::Secret& secret,
                                           const Authenticator& request_authenticator);

} // namespace acmetool::radius
