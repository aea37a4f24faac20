#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/bytes.h"
#include "base/executor.h"
#include "base/result.h"

namespace acmetool::net
{

/// Longer datagrams are cut there: the largest RADIUS packet (RFC 2865 section 3).
inline constexpr std::size_t kLargestDatagram = 4096;

/// A UDP socket whose datagrams a few threads answer, and one thread more for timers and for what is done
/// later (Asio is only in the .cpp). IPv6 addresses take only IPv6, except "::", which takes both. An answer
/// leaves from the address that was asked.
class ACMETOOL_EXPORT UdpServer
{
public:
    using Reply = std::function<void(Bytes)>;
    /// Datagram, address and port it came from, and where its answer is sent: at once or later, from any
    /// thread, even after the server is destroyed.
    using Handler = std::function<void(ByteView, const std::string&, std::uint16_t, Reply)>;
    using Task = std::function<void()>;
    /// Runs a task at a time, or as soon as possible after it, on the thread for that. From any
    /// thread, even after the server is destroyed: then nothing runs.
    using Timers = std::function<void(std::chrono::steady_clock::time_point, Task)>;

    /// Takes the address; datagrams wait until serve(), which `threads` of them answer. Errors: config,
    /// cannot_create (address in use, no file descriptors).
    static Result<std::unique_ptr<UdpServer>> open(const std::string& address, std::uint16_t port,
                                                   unsigned threads = 1);
    ~UdpServer(); ///< ends the threads
    UdpServer(const UdpServer&) = delete;
    UdpServer& operator=(const UdpServer&) = delete;

    /// Starts the threads, which call `handler` for each datagram, several at once. Once.
    void serve(Handler handler);
    Timers timers() const;
    /// The thread for callbacks that continue what a datagram began (base::bind).
    std::weak_ptr<base::Executor> executor() const;
    std::uint16_t port() const;

private:
    struct Impl;
    explicit UdpServer(std::shared_ptr<Impl> impl);
    std::shared_ptr<Impl> impl_;
};

} // namespace acmetool::net
