#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>

#include "base/context.h"
#include "base/result.h"

namespace acmetool::net
{

using Deadline = std::chrono::steady_clock::time_point;

/// A connected TCP socket that never blocks; closed when it goes.
class Socket
{
public:
    Socket() = default;
    /// Tries the host's addresses one after the other. unavailable ("resolve", "connect", "timeout"),
    /// interrupted.
    static Result<Socket> connect(const std::string& host, std::uint16_t port, Deadline deadline,
                                  base::Context& context);
    Socket(Socket&& other) noexcept;
    Socket& operator=(Socket&& other) noexcept;
    Socket(const Socket&) = delete;
    Socket& operator=(const Socket&) = delete;
    ~Socket();

    int fd() const { return fd_; }
    explicit operator bool() const { return fd_ >= 0; }
    /// There is something to read, or the peer has closed.
    bool has_input() const;
    /// Waits until the socket can be read (or written), no longer than until the run ends
    /// (Context::run_ends()), and reports the wait. unavailable ("timeout"), interrupted.
    Result<void> wait(bool for_writing, Deadline deadline, base::Context& context) const;

private:
    Socket(int fd, std::string peer) : fd_(fd), peer_(std::move(peer)) {}
    int fd_ = -1;
    std::string peer_; ///< "127.0.0.1:8443"
};

} // namespace acmetool::net
