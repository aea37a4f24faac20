#include "teap/fragments.h"

#include <algorithm>

namespace acmetool::teap
{
namespace
{

constexpr std::size_t kEapOverhead = 6; // EAP header, type, flags
constexpr std::size_t kLengthField = 4; // MessageLength and OuterTLVLength
constexpr std::size_t kLeastLimit = 32;
constexpr std::size_t kMostFragments = 1024;

tl::unexpected<Error> bad_fragment(std::string_view what)
{
    return fail(Errc::protocol, "TEAP fragments: " + std::string{what}, {}, "teapFragments");
}

} // namespace

void Fragmenter::load(Message message, bool start, std::size_t limit)
{
    data_ = std::move(message.tls);
    outer_length_.reset();
    if (!message.outer_tlvs.empty()) {
        outer_length_ = static_cast<std::uint32_t>(message.outer_tlvs.size());
        data_.insert(data_.end(), message.outer_tlvs.begin(), message.outer_tlvs.end());
    }
    at_ = 0;
    start_ = start;
    limit_ = std::max(limit, kLeastLimit);
    loaded_ = true;
}

bool Fragmenter::fits(const Message& message, std::size_t limit)
{
    const auto lengths = message.outer_tlvs.empty() ? 0 : kLengthField;
    return kEapOverhead + lengths + message.tls.size() + message.outer_tlvs.size() <=
           std::max(limit, kLeastLimit);
}

Frame Fragmenter::next()
{
    Frame frame;
    std::size_t room = limit_ - kEapOverhead;
    if (at_ == 0) {
        frame.start = start_;
        frame.outer_tlv_length = outer_length_;
        if (outer_length_) room -= kLengthField;
        if (data_.size() > room) {
            frame.message_length = static_cast<std::uint32_t>(data_.size());
            room -= kLengthField;
        }
    }
    const auto count = std::min(room, data_.size() - at_);
    const auto from = data_.begin() + static_cast<std::ptrdiff_t>(at_);
    frame.data.assign(from, from + static_cast<std::ptrdiff_t>(count));
    at_ += count;
    frame.more = at_ < data_.size();
    loaded_ = frame.more;
    if (!loaded_) data_.clear();
    return frame;
}

Result<std::optional<Message>> Reassembler::take(const Frame& frame)
{
    if (fragments_ == 0) {
        announced_ = frame.message_length;
        outer_length_ = frame.outer_tlv_length;
        if (announced_ && *announced_ > kLargestMessage) return bad_fragment("a message longer than 64 KiB");
    } else if (frame.outer_tlv_length) {
        return bad_fragment("outer TLVs in a later fragment");
    }
    if (++fragments_ > kMostFragments) return bad_fragment("too many");
    if (frame.more && frame.data.empty()) return bad_fragment("one without data");
    if (data_.size() + frame.data.size() > kLargestMessage)
        return bad_fragment("a message longer than 64 KiB");
    data_.insert(data_.end(), frame.data.begin(), frame.data.end());
    if (announced_ && data_.size() > *announced_) return bad_fragment("more octets than announced");
    if (frame.more) return std::optional<Message>{};
    if (announced_ && data_.size() != *announced_) return bad_fragment("fewer octets than announced");
    const std::size_t outer = outer_length_.value_or(0);
    if (outer > data_.size()) return bad_fragment("outer TLVs longer than the message");
    const auto border = data_.end() - static_cast<std::ptrdiff_t>(outer);
    Message message{{data_.begin(), border}, {border, data_.end()}};
    data_.clear();
    fragments_ = 0;
    announced_.reset();
    outer_length_.reset();
    return std::optional{std::move(message)};
}

} // namespace acmetool::teap
