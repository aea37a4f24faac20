#include "radius/packet.h"

#include <algorithm>

#include "base/octets.h"
#include "base/wipe.h"
#include "crypto/digest.h"

namespace acmetool::radius
{
namespace
{

constexpr std::size_t kLengthAt = 2;
constexpr std::size_t kAuthenticatorAt = 4;
constexpr std::uint32_t kMicrosoft = 311;
constexpr std::uint8_t kMppeSendKey = 16;
constexpr std::uint8_t kMppeRecvKey = 17;
constexpr std::size_t kMd5Size = 16;
constexpr std::size_t kKeySize = 32;

using base::append;

tl::unexpected<Error> malformed(std::string_view what)
{
    return fail(Errc::protocol, "RADIUS packet: " + std::string{what}, {}, "radiusPacket");
}

Result<Bytes> md5(std::initializer_list<ByteView> parts)
{
    return crypto::digest(crypto::Hash::md5, parts);
}

Result<Bytes> hmac_md5(const base::Secret& secret, ByteView octets)
{
    return crypto::hmac(crypto::Hash::md5, as_bytes(secret.reveal()), octets);
}

void put(Bytes& octets, std::size_t at, ByteView value)
{
    std::copy(value.begin(), value.end(), octets.begin() + static_cast<std::ptrdiff_t>(at));
}

bool has_message_authenticator(std::uint8_t code)
{
    return code != static_cast<std::uint8_t>(Code::accounting_response);
}

/// The packet with `authenticator` in its header and a zeroed Message-Authenticator as first attribute, if it
/// has one.
Result<Bytes> lay_out(const Packet& packet, const Authenticator& authenticator)
{
    Bytes octets{packet.code, packet.identifier, 0, 0};
    append(octets, authenticator);
    if (has_message_authenticator(packet.code)) {
        octets.push_back(attribute::kMessageAuthenticator);
        octets.push_back(2 + kMd5Size);
        octets.resize(octets.size() + kMd5Size);
    }
    for (const auto& one : packet.attributes) {
        if (one.type == attribute::kMessageAuthenticator) continue;
        if (one.value.size() > kLargestValue)
            return fail(Errc::internal, "RADIUS attribute longer than 253 octets", {}, "radiusTooLong");
        octets.push_back(one.type);
        octets.push_back(static_cast<std::uint8_t>(one.value.size() + 2));
        append(octets, one.value);
    }
    if (octets.size() > kLargestPacket)
        return fail(Errc::internal, "RADIUS packet longer than 4096 octets", {}, "radiusTooLong");
    octets[kLengthAt] = static_cast<std::uint8_t>(octets.size() >> 8U);
    octets[kLengthAt + 1] = static_cast<std::uint8_t>(octets.size());
    return octets;
}

/// One key of RFC 2548 section 2.4.2: c(1) = p(1) xor MD5(S + R + A), c(i) = p(i) xor MD5(S + c(i-1)).
Result<Bytes> crypt(ByteView input, bool decrypt, ByteView salt, const base::Secret& secret,
                    const Authenticator& request_authenticator)
{
    const auto key = as_bytes(secret.reveal());
    Bytes output;
    for (std::size_t at = 0; at + kMd5Size <= input.size(); at += kMd5Size) {
        auto pad = at == 0 ? md5({key, request_authenticator, salt})
                           : md5({key, decrypt ? input.subspan(at - kMd5Size, kMd5Size)
                                               : ByteView{output}.subspan(at - kMd5Size, kMd5Size)});
        if (!pad) return fail(std::move(pad).error());
        for (std::size_t i = 0; i < kMd5Size; ++i)
            output.push_back(static_cast<std::uint8_t>(input[at + i] ^ (*pad)[i]));
    }
    return output;
}

Result<void> add_mppe_key(Packet& packet, std::uint8_t type, ByteView key, std::array<std::uint8_t, 2> salt,
                          const base::Secret& secret, const Authenticator& request_authenticator)
{
    Bytes plain{static_cast<std::uint8_t>(key.size())};
    append(plain, key);
    plain.resize((plain.size() + kMd5Size - 1) / kMd5Size * kMd5Size);
    ACMETOOL_TRY(cipher, crypt(plain, false, salt, secret, request_authenticator));
    base::wipe(plain);
    Bytes value{0,
                0,
                kMicrosoft >> 8U,
                kMicrosoft & 0xffU,
                type,
                static_cast<std::uint8_t>(2 + salt.size() + cipher.size())};
    append(value, salt);
    append(value, cipher);
    packet.add(attribute::kVendorSpecific, value);
    return {};
}

/// The cipher text with its salt of one vendor attribute, or nothing.
std::optional<ByteView> microsoft(const Bytes& value, std::uint8_t type)
{
    constexpr std::size_t kVendorHeader = 6;
    if (value.size() < kVendorHeader || value[0] != 0 || value[1] != 0 || value[2] != (kMicrosoft >> 8U) ||
        value[3] != (kMicrosoft & 0xffU) || value[4] != type || value[5] != value.size() - 4)
        return std::nullopt;
    return ByteView{value}.subspan(kVendorHeader);
}

} // namespace

const Bytes* Packet::find(std::uint8_t type) const
{
    const auto found = std::find_if(attributes.begin(), attributes.end(),
                                    [type](const Attribute& one) { return one.type == type; });
    return found == attributes.end() ? nullptr : &found->value;
}

std::size_t Packet::count(std::uint8_t type) const
{
    return static_cast<std::size_t>(std::count_if(attributes.begin(), attributes.end(),
                                                  [type](const Attribute& one) { return one.type == type; }));
}

void Packet::add(std::uint8_t type, ByteView value)
{
    attributes.push_back({type, {value.begin(), value.end()}});
}

void Packet::add(std::uint8_t type, std::uint32_t value)
{
    attributes.push_back({type,
                          {static_cast<std::uint8_t>(value >> 24U), static_cast<std::uint8_t>(value >> 16U),
                           static_cast<std::uint8_t>(value >> 8U), static_cast<std::uint8_t>(value)}});
}

Result<Packet> parse_packet(ByteView octets)
{
    if (octets.size() < kHeaderSize) return malformed("shorter than its header");
    const std::size_t length = std::size_t{octets[kLengthAt]} << 8U | octets[kLengthAt + 1];
    if (length < kHeaderSize || length > kLargestPacket) return malformed("a length outside 20 to 4096");
    // RFC 2865 section 3: "Octets outside the range of the Length field MUST be treated as padding and
    // ignored on reception. If the packet is shorter than the Length field indicates, it MUST be silently
    // discarded."
    if (octets.size() < length) return malformed("shorter than its length says");
    Packet packet;
    packet.code = octets[0];
    packet.identifier = octets[1];
    std::copy_n(octets.begin() + kAuthenticatorAt, packet.authenticator.size(), packet.authenticator.begin());
    auto rest = octets.subspan(kHeaderSize, length - kHeaderSize);
    while (!rest.empty()) {
        if (rest.size() < 2 || rest[1] < 2 || rest[1] > rest.size())
            return malformed("an attribute longer than the packet");
        packet.add(rest[0], rest.subspan(2, rest[1] - std::size_t{2}));
        rest = rest.subspan(rest[1]);
    }
    return packet;
}

Result<Bytes> eap_message(const Packet& packet)
{
    Bytes eap;
    bool began = false;
    bool ended = false;
    for (const auto& one : packet.attributes) {
        if (one.type != attribute::kEapMessage) {
            ended = began;
            continue;
        }
        // RFC 3579 section 3.1: "If multiple EAP-Message attributes are contained within an Access-Request or
        // Access-Challenge packet, they MUST be in order and they MUST be consecutive attributes".
        if (ended) return malformed("EAP-Message attributes are not consecutive");
        began = true;
        append(eap, one.value);
    }
    return eap;
}

void add_eap_message(Packet& packet, ByteView eap)
{
    while (!eap.empty()) {
        const auto part = eap.first(std::min(eap.size(), kLargestValue));
        packet.add(attribute::kEapMessage, part);
        eap = eap.subspan(part.size());
    }
}

Result<Bytes> encode_request(const Packet& packet, const base::Secret& secret)
{
    ACMETOOL_TRY(octets, lay_out(packet, packet.authenticator));
    ACMETOOL_TRY(mac, hmac_md5(secret, octets));
    put(octets, kHeaderSize + 2, mac);
    return octets;
}

Result<Bytes> encode_response(const Packet& packet, const base::Secret& secret,
                              const Authenticator& request_authenticator)
{
    ACMETOOL_TRY(octets, lay_out(packet, request_authenticator));
    if (has_message_authenticator(packet.code)) {
        ACMETOOL_TRY(mac, hmac_md5(secret, octets));
        put(octets, kHeaderSize + 2, mac);
    }
    ACMETOOL_TRY(digest, md5({octets, as_bytes(secret.reveal())}));
    put(octets, kAuthenticatorAt, digest);
    return octets;
}

bool has_valid_message_authenticator(ByteView octets, const base::Secret& secret,
                                     const Authenticator& authenticator)
{
    const auto packet = parse_packet(octets);
    if (!packet || packet->count(attribute::kMessageAuthenticator) != 1) return false;
    const std::size_t length = std::size_t{octets[kLengthAt]} << 8U | octets[kLengthAt + 1];
    Bytes copy{octets.begin(), octets.begin() + static_cast<std::ptrdiff_t>(length)};
    put(copy, kAuthenticatorAt, authenticator);
    std::size_t at = kHeaderSize;
    while (copy[at] != attribute::kMessageAuthenticator)
        at += copy[at + 1];
    if (copy[at + 1] != 2 + kMd5Size) return false;
    std::fill_n(copy.begin() + static_cast<std::ptrdiff_t>(at) + 2, kMd5Size, std::uint8_t{0});
    const auto mac = hmac_md5(secret, copy);
    return mac && crypto::equal_in_constant_time(*mac, octets.subspan(at + 2, kMd5Size));
}

bool has_valid_request_authenticator(ByteView octets, const base::Secret& secret)
{
    // RFC 2866 section 3: the Response Authenticator's sum, with zeros for what a request would have there.
    return has_valid_response_authenticator(octets, secret, Authenticator{});
}

bool has_valid_response_authenticator(ByteView octets, const base::Secret& secret,
                                      const Authenticator& request_authenticator)
{
    if (!parse_packet(octets)) return false;
    const std::size_t length = std::size_t{octets[kLengthAt]} << 8U | octets[kLengthAt + 1];
    const auto digest = md5({octets.first(kAuthenticatorAt), request_authenticator,
                             octets.subspan(kHeaderSize, length - kHeaderSize), as_bytes(secret.reveal())});
    return digest && crypto::equal_in_constant_time(*digest, octets.subspan(kAuthenticatorAt, kMd5Size));
}

Result<void> add_mppe_keys(Packet& packet, ByteView msk, const base::Secret& secret,
                           const Authenticator& request_authenticator)
{
    if (msk.size() != 2 * kKeySize) return fail(Errc::internal, "the MSK must have 64 octets");
    const auto random = crypto::random_bytes(2);
    // RFC 2548 section 2.4.2: "The most significant bit (leftmost) of the Salt field MUST be set (1). The
    // contents of each Salt field in a given Access-Accept packet MUST be unique."
    const std::array<std::uint8_t, 2> first{static_cast<std::uint8_t>(random[0] | 0x80U), random[1]};
    const std::array<std::uint8_t, 2> second{first[0], static_cast<std::uint8_t>(random[1] ^ 0x01U)};
    ACMETOOL_CHECK(
        add_mppe_key(packet, kMppeRecvKey, msk.first(kKeySize), first, secret, request_authenticator));
    return add_mppe_key(packet, kMppeSendKey, msk.subspan(kKeySize), second, secret, request_authenticator);
}

Result<MppeKeys> mppe_keys(const Packet& packet, const base::Secret& secret,
                           const Authenticator& request_authenticator)
{
    constexpr std::size_t kSaltSize = 2;
    MppeKeys keys;
    for (const auto& one : packet.attributes) {
        if (one.type != attribute::kVendorSpecific) continue;
        for (const auto type : {kMppeSendKey, kMppeRecvKey}) {
            const auto found = microsoft(one.value, type);
            if (!found) continue;
            if (found->size() < kSaltSize + kMd5Size || (found->size() - kSaltSize) % kMd5Size != 0)
                return fail(Errc::protocol, "MS-MPPE key of a wrong length", {}, "mppeKeys");
            ACMETOOL_TRY(plain, crypt(found->subspan(kSaltSize), true, found->first(kSaltSize), secret,
                                      request_authenticator));
            if (plain[0] > plain.size() - 1)
                return fail(Errc::protocol, "MS-MPPE key of a wrong length", "check the shared secret",
                            "mppeKeys");
            const auto key = ByteView{plain}.subspan(1, plain[0]);
            auto& to = type == kMppeSendKey ? keys.send : keys.recv;
            to.assign(key.begin(), key.end());
        }
    }
    if (keys.send.empty() || keys.recv.empty())
        return fail(Errc::protocol, "the Access-Accept has no MS-MPPE keys", {}, "mppeKeys");
    return keys;
}

} // namespace acmetool::radius
