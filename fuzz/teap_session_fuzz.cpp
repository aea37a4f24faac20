// A whole phase 2 at the server: a real tunnel, in which the peer says what the input holds (teap_tunnel.h).
#include <cstddef>

#include "teap_tunnel.h"

extern "C" int fuzz_teap_session(const unsigned char* data, std::size_t size)
{
    const auto settings = std::make_shared<acmetool::teap::ServerSettings>();
    // Nothing in here proves the tunnel.
    if (fuzz::hostile_peer(settings, false, nullptr, {data, size}) == acmetool::teap::Outcome::accept)
        std::abort();
    return 0;
}
