#include "teap/eap.h"

#include "base/octets.h"

namespace acmetool::teap
{
namespace
{

constexpr std::size_t kEapHeader = 4;
constexpr std::uint8_t kLengthIncluded = 0x80;
constexpr std::uint8_t kMoreFragments = 0x40;
constexpr std::uint8_t kStart = 0x20;
constexpr std::uint8_t kOuterTlvLength = 0x10;
constexpr std::uint8_t kVersionMask = 0x07;

tl::unexpected<Error> malformed(std::string_view what)
{
    return fail(Errc::protocol, "EAP packet: " + std::string{what}, {}, "eapPacket");
}

} // namespace

Bytes EapPacket::encode() const
{
    const bool typed = code == EapCode::request || code == EapCode::response;
    const std::size_t size = kEapHeader + (typed ? 1 + data.size() : 0);
    Bytes octets{static_cast<std::uint8_t>(code), identifier, static_cast<std::uint8_t>(size >> 8U),
                 static_cast<std::uint8_t>(size)};
    if (typed) {
        octets.push_back(type);
        octets.insert(octets.end(), data.begin(), data.end());
    }
    return octets;
}

Result<EapPacket> parse_eap(ByteView octets)
{
    if (octets.size() < kEapHeader) return malformed("shorter than its header");
    const std::size_t length = std::size_t{octets[2]} << 8U | octets[3];
    if (length < kEapHeader || length > octets.size())
        return malformed("a length that differs from its size");
    if (octets[0] < 1 || octets[0] > 4) return malformed("an unknown code");
    EapPacket packet;
    packet.code = static_cast<EapCode>(octets[0]);
    packet.identifier = octets[1];
    if (packet.code == EapCode::success || packet.code == EapCode::failure) {
        if (length != kEapHeader) return malformed("a Success or Failure with data");
        return packet;
    }
    if (length == kEapHeader) return malformed("a Request or Response without type");
    packet.type = octets[kEapHeader];
    const auto data = octets.subspan(kEapHeader + 1, length - kEapHeader - 1);
    packet.data.assign(data.begin(), data.end());
    return packet;
}

Bytes Frame::encode() const
{
    Bytes octets{static_cast<std::uint8_t>(
        (message_length ? kLengthIncluded : 0U) | (more ? kMoreFragments : 0U) | (start ? kStart : 0U) |
        (outer_tlv_length ? kOuterTlvLength : 0U) | (version & kVersionMask))};
    if (message_length) base::append32(octets, *message_length);
    if (outer_tlv_length) base::append32(octets, *outer_tlv_length);
    octets.insert(octets.end(), data.begin(), data.end());
    return octets;
}

Result<Frame> parse_frame(ByteView data)
{
    const auto bad = [](std::string_view what) {
        return fail(Errc::protocol, "TEAP packet: " + std::string{what}, {}, "teapFrame");
    };
    if (data.empty()) return bad("no flags");
    const auto flags = data[0];
    Frame frame;
    frame.more = (flags & kMoreFragments) != 0;
    frame.start = (flags & kStart) != 0;
    frame.version = flags & kVersionMask;
    data = data.subspan(1);
    if ((flags & kLengthIncluded) != 0) {
        if (data.size() < 4) return bad("no message length");
        frame.message_length = base::number32(data);
        data = data.subspan(4);
    }
    if ((flags & kOuterTlvLength) != 0) {
        if (data.size() < 4) return bad("no outer TLV length");
        frame.outer_tlv_length = base::number32(data);
        data = data.subspan(4);
    }
    frame.data.assign(data.begin(), data.end());
    return frame;
}

} // namespace acmetool::teap
