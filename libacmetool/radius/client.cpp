#include "radius/client.h"

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

#include <fmt/core.h>

#include "crypto/digest.h"
#include "net/endpoint.h"

namespace acmetool::radius
{

Result<Client> Client::open(const ClientOptions& options, const base::Secret& secret)
{
    addrinfo hints{};
    hints.ai_socktype = SOCK_DGRAM;
    addrinfo* found = nullptr;
    const auto port = std::to_string(options.port);
    if (const int problem = getaddrinfo(options.host.c_str(), port.c_str(), &hints, &found); problem != 0)
        return fail(Errc::unavailable, fmt::format("{}: {}", options.host, gai_strerror(problem)), {},
                    Cause::resolve);
    int fd = -1;
    for (const auto* one = found; one != nullptr && fd < 0; one = one->ai_next) {
        fd = socket(one->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (fd >= 0 && connect(fd, one->ai_addr, one->ai_addrlen) != 0) {
            close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(found);
    if (fd < 0)
        return fail(Errc::unavailable, options.host + ": no route to the RADIUS server", {}, Cause::resolve);
    return Client{fd, options, secret};
}

Client::~Client()
{
    if (fd_ >= 0) close(fd_);
}

Client::Client(Client&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), options_(std::move(other.options_)), secret_(other.secret_),
      identifier_(other.identifier_)
{
}

Result<Client::Reply> Client::exchange(Packet request, base::Context& context)
{
    using Clock = std::chrono::steady_clock;
    request.identifier = identifier_++;
    const auto random = crypto::random_bytes(request.authenticator.size());
    std::copy(random.begin(), random.end(), request.authenticator.begin());
    ACMETOOL_TRY(octets, encode_request(request, secret_));
    bool anything = false;
    const auto run_ends = context.run_ends().value_or(Clock::time_point::max());
    const auto since = Clock::now();
    const base::Wait wait{"an answer from " + net::Endpoint{options_.host, options_.port}.text(), since,
                          std::min(run_ends, since + options_.retransmit * options_.tries)};
    for (unsigned attempt = 0; attempt < options_.tries && Clock::now() < run_ends; ++attempt) {
        const bool sent = send(fd_, octets.data(), octets.size(), 0) == static_cast<ssize_t>(octets.size());
        const auto end = std::min<Clock::time_point>(Clock::now() + options_.retransmit, run_ends);
        while (Clock::now() < end) {
            if (context.interrupted()) return fail(base::interrupted_error("the RADIUS server's answer"));
            pollfd watched{fd_, POLLIN, 0};
            if (poll(&watched, 1, 100) <= 0) {
                context.waiting(wait);
                continue;
            }
            Bytes reply(kLargestPacket);
            const auto size = recv(fd_, reply.data(), reply.size(), 0);
            if (size < 0 && !sent) break;
            if (size <= 0) continue; // no listener yet; retry
            reply.resize(static_cast<std::size_t>(size));
            anything = true;
            auto packet = parse_packet(reply);
            if (!packet || packet->identifier != request.identifier ||
                !has_valid_response_authenticator(reply, secret_, request.authenticator) ||
                !has_valid_message_authenticator(reply, secret_, request.authenticator))
                continue;
            return Reply{std::move(*packet), request.authenticator};
        }
    }
    return fail(Errc::unavailable,
                anything ? "the RADIUS server's answers do not match our shared secret"
                         : "no answer from the RADIUS server",
                anything ? "check that both ends have the same secret"
                         : "check the server's address, the shared secret, and whether the server knows this "
                           "client's address",
                "noAnswer");
}

} // namespace acmetool::radius
