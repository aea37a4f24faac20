#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "base/context.h"
#include "base/result.h"
#include "base/secret.h"
#include "radius/packet.h"

namespace acmetool::radius
{

struct ClientOptions {
    std::string host = "127.0.0.1"; ///< name or address
    std::uint16_t port = 1812;
    std::chrono::milliseconds retransmit{3000}; ///< retransmission after this time
    unsigned tries = 10;
};

/// The NAS's side: one request at a time over UDP.
class ACMETOOL_EXPORT Client
{
public:
    /// `secret` is not owned. Errors: unavailable (reason "resolve").
    static Result<Client> open(const ClientOptions& options, const base::Secret& secret);
    ~Client();
    Client(Client&& other) noexcept;
    Client& operator=(Client&&) = delete;
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    struct Reply {
        Packet packet;
        Authenticator request_authenticator{}; ///< needed to decrypt the keys in it
    };
    /// Sends `request` with a fresh identifier and authenticator and waits for the answer; packets without
    /// correct authenticators are ignored. Errors: unavailable (reason "noAnswer"), interrupted.
    Result<Reply> exchange(Packet request, base::Context& context);

private:
    Client(int fd, const ClientOptions& options, const base::Secret& secret)
        : fd_(fd), options_(options), secret_(secret)
    {
    }
    int fd_ = -1;
    ClientOptions options_;
    const base::Secret& secret_;
    std::uint8_t identifier_ = 0;
};

} // namespace acmetool::radius
