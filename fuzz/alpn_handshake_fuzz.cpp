// Records at a standalone tls-alpn-01 listener, in pieces of the length that the first octet says.
#include <algorithm>
#include <cstddef>

#include "crypto/tls_alpn.h"

extern "C" int fuzz_alpn_handshake(const unsigned char* data, std::size_t size)
{
    using namespace acmetool;
    static crypto::AlpnProofs proofs;
    static const bool made = [] {
        auto proof = crypto::make_alpn_proof("host.example", Bytes(32, 1));
        if (!proof) __builtin_trap();
        proofs.put("host.example", std::move(*proof));
        return true;
    }();
    if (!made || size == 0) return 0;
    crypto::AlpnHandshake handshake{proofs};
    const std::size_t piece = data[0] == 0 ? size : data[0];
    Bytes reply;
    for (std::size_t at = 1; at < size; at += piece)
        if (!handshake.feed({data + at, std::min(piece, size - at)}, reply)) break;
    return 0;
}
