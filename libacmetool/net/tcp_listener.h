#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "base/bytes.h"
#include "base/result.h"

namespace acmetool::net
{

/// What one connection to a TcpListener talks, without the socket.
class Conversation
{
public:
    virtual ~Conversation() = default;
    /// Takes what came and appends what is to be sent. False: nothing follows, the connection may be closed.
    virtual bool take(ByteView received, Bytes& reply) = 0;
};

/// A small server for the few and short connections of a validation, in one thread of its own.
///
/// At most 64 connections at once, where a further one takes the place of the oldest, and ten seconds each:
/// what is on the internet for a moment is found by everybody. The thread takes no signals. Conversations run
/// in it; no exception may leave them. While no descriptor is free for a connection, it waits until one of
/// its own is closed, or a tenth of a second.
///
/// Not on Asio: clients link this, and poll(2) with one descriptor that ends it is all it needs.
class ACMETOOL_EXPORT TcpListener
{
public:
    using Answer = std::function<std::unique_ptr<Conversation>()>;

    /// `host` empty: every address of this host. Port 0: any free one. Errors: config (no such address, port
    /// not allowed), cannot_create ("listen": the port is taken).
    static Result<std::unique_ptr<TcpListener>> start(const std::string& host, std::uint16_t port,
                                                      Answer answer);
    /// Closes everything and waits for the thread.
    ~TcpListener();
    TcpListener(const TcpListener&) = delete;
    TcpListener& operator=(const TcpListener&) = delete;

    std::uint16_t port() const;
    /// How often a connection had to wait because no descriptor was free. From any thread.
    std::uint64_t pauses() const { return pauses_; }

private:
    TcpListener(int socket, Answer answer);
    void serve();

    int socket_ = -1;
    int stop_ = -1; ///< an eventfd
    Answer answer_;
    std::atomic<std::uint64_t> pauses_{0};
    std::thread thread_;
};

} // namespace acmetool::net
