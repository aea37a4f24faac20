// EAP packets, TEAP frames and fragments of one side of a conversation; each length octet begins a packet.
#include <algorithm>
#include <cstddef>

#include "teap/fragments.h"

extern "C" int fuzz_teap_frame(const unsigned char* data, std::size_t size)
{
    using namespace acmetool;
    ByteView rest{data, size};
    teap::Reassembler reassembler;
    while (!rest.empty()) {
        const auto count = std::min<std::size_t>(rest[0], rest.size() - 1);
        const auto packet = rest.subspan(1, count);
        rest = rest.subspan(1 + count);
        if (const auto eap = teap::parse_eap(packet))
            if (const auto frame = teap::parse_frame(eap->data))
                if (!reassembler.take(*frame)) break;
    }
    return 0;
}
