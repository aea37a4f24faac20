#include <chrono>
#include <memory>

#include <doctest/doctest.h>

#include "net/socket.h"
#include "net/tcp_listener.h"

using namespace acmetool;
using namespace std::chrono_literals;

namespace
{

/// Reads, and never answers.
class Silent final : public net::Conversation
{
public:
    bool take(ByteView /*received*/, Bytes& /*reply*/) override { return true; }
};

class OneRun final : public base::Context
{
public:
    explicit OneRun(base::Milliseconds time) : end_(std::chrono::steady_clock::now() + time) {}
    std::optional<std::chrono::steady_clock::time_point> run_ends() const override { return end_; }

private:
    std::chrono::steady_clock::time_point end_;
};

} // namespace

TEST_CASE("SEC-32: connections wait no longer than the run lasts, however much time each step has")
{
    const auto server = net::TcpListener::start("127.0.0.1", 0, [] { return std::make_unique<Silent>(); });
    REQUIRE(server);
    OneRun run{300ms};
    const auto began = std::chrono::steady_clock::now();
    for (int step = 0; step < 3; ++step) {
        const auto deadline = std::chrono::steady_clock::now() + 1h;
        const auto socket = net::Socket::connect("127.0.0.1", (*server)->port(), deadline, run);
        if (!socket) continue;
        const auto waited = socket->wait(false, deadline, run);
        REQUIRE_FALSE(waited);
        CHECK(waited.error().reason == Cause::timeout);
    }
    CHECK(std::chrono::steady_clock::now() - began < 1min);
}
