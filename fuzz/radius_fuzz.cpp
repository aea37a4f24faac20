// RADIUS packets: attributes, EAP-Message, Message-Authenticator, MS-MPPE keys.
#include <cstddef>

#include "radius/packet.h"

extern "C" int fuzz_radius(const unsigned char* data, std::size_t size)
{
    using namespace acmetool;
    const ByteView octets{data, size};
    const base::Secret secret{"radius-secret"};
    if (const auto packet = radius::parse_packet(octets)) {
        static_cast<void>(radius::eap_message(*packet).has_value());
        static_cast<void>(radius::has_valid_message_authenticator(octets, secret, packet->authenticator));
        static_cast<void>(radius::has_valid_response_authenticator(octets, secret, packet->authenticator));
        static_cast<void>(radius::mppe_keys(*packet, secret, packet->authenticator).has_value());
    }
    return 0;
}
