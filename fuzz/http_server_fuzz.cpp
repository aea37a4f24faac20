// The octets of one connection to the HTTP server: request lines, header fields, bodies (chunked ones too),
// limits, and the PROXY header. An odd first octet sends the rest to a server behind a load balancer.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstddef>
#include <memory>
#include <string_view>

#include "base/text.h"
#include "http/server.h"

using namespace acmetool;

namespace
{

constexpr std::size_t kBodyLimit = 4096;
constexpr std::size_t kHeaderLimit = 2048;

/// Traps if a request got past the server's limits.
http::ServerResponse answer_within_limits(const http::ServerRequest& request)
{
    std::size_t header = 0;
    for (const auto& [name, value] : request.headers) {
        header += name.size() + value.size();
        if (base::to_lower(name) != name) __builtin_trap();
    }
    if (request.body.size() > kBodyLimit || header > kHeaderLimit || request.method.empty() ||
        request.target.empty())
        __builtin_trap();
    return {200, {{"Content-Type", "text/plain"}}, request.method + " " + request.body, false};
}

std::unique_ptr<http::Server> start(bool behind_proxy)
{
    http::ServerOptions options;
    options.threads = 1;
    options.body_limit = kBodyLimit;
    options.header_limit = kHeaderLimit;
    options.requests_per_connection = 8;
    if (behind_proxy) options.proxies.push_back(*net::AddressRange::parse("127.0.0.0/8"));
    return std::move(*http::Server::start(options, answer_within_limits));
}

/// Sends all, ends, and reads until the server has closed.
void converse(std::uint16_t port, std::string_view octets)
{
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        __builtin_trap();
    while (!octets.empty()) {
        const auto sent = send(fd, octets.data(), octets.size(), MSG_NOSIGNAL);
        if (sent <= 0) break;
        octets.remove_prefix(static_cast<std::size_t>(sent));
    }
    shutdown(fd, SHUT_WR);
    char answer[16384];
    while (recv(fd, answer, sizeof answer, 0) > 0) {
    }
    close(fd);
}

} // namespace

extern "C" int fuzz_http_server(const unsigned char* data, std::size_t size)
{
    static const std::unique_ptr<http::Server> servers[] = {start(false), start(true)};
    if (size == 0) return 0;
    converse(servers[data[0] & 1U]->port(), {reinterpret_cast<const char*>(data) + 1, size - 1});
    return 0;
}
