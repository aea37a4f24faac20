#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/bytes.h"
#include "base/result.h"

namespace acmetool::net
{

/// Longer datagrams are cut there: the largest RADIUS packet (RFC 2865 section 3).
inline constexpr std::size_t kLargestDatagram = 4096;

/// A UDP socket that is answered by one thread (Asio is in the .cpp alone). IPv6 addresses take IPv6 only,
/// except "::", which takes both. An answer leaves from the address that was asked.
class ACMETOOL_EXPORT UdpServer
{
public:
    using Reply = std::function<void(Bytes)>;
    /// Datagram, address and port it came from, and where its answer goes: at once or later, from any thread,
    /// even after the server is gone.
    using Handler = std::function<void(ByteView, const std::string&, std::uint16_t, Reply)>;

    /// `tick` is called every second by the same thread. Errors: cannot_create (address in use).
    static Result<std::unique_ptr<UdpServer>> start(const std::string& address, std::uint16_t port,
                                                    Handler handler, std::function<void()> tick);
    ~UdpServer();
    UdpServer(const UdpServer&) = delete;
    UdpServer& operator=(const UdpServer&) = delete;

    std::uint16_t port() const;

private:
    struct Impl;
    explicit UdpServer(std::shared_ptr<Impl> impl);
    std::shared_ptr<Impl> impl_;
};

} // namespace acmetool::net
