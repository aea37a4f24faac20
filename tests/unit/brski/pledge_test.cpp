#include <algorithm>
#include <filesystem>
#include <fstream>
#include <mutex>

#include <doctest/doctest.h>
#include <stdlib.h>

#include "../crypto/certificates.h"
#include "brski/pledge.h"
#include "http/server.h"

using namespace acmetool;
using namespace std::chrono_literals;

namespace
{

/// Time passes where somebody sleeps, and `oversleeps` more.
class Clock final : public base::Context
{
public:
    explicit Clock(base::Milliseconds oversleeps) : oversleeps_(oversleeps) {}
    std::chrono::steady_clock::time_point steady_now() const override
    {
        return std::chrono::steady_clock::time_point{slept};
    }
    Result<void> sleep(base::Milliseconds duration, const base::Wait& /*wait*/) override
    {
        longest = std::max(longest, duration);
        slept += duration + oversleeps_;
        return {};
    }

    base::Milliseconds longest{0};
    base::Milliseconds slept{0};

private:
    base::Milliseconds oversleeps_;
};

/// A registrar that always says 202.
struct Registrar {
    std::string folder;
    std::mutex mutex;
    std::vector<std::string> bodies;
    std::unique_ptr<http::Server> server;

    explicit Registrar(const std::string& retry_after)
    {
        std::string pattern = (std::filesystem::temp_directory_path() / "acmetool-pledge-XXXXXX").string();
        folder = mkdtemp(pattern.data());
        const auto own = test::make_identity("registrar");
        std::ofstream{folder + "/ra.pem"} << own.certificate.to_pem();
        std::ofstream{folder + "/ra.key"} << own.key.to_pem()->reveal();
        http::ServerOptions options;
        options.certificate_file = folder + "/ra.pem";
        options.key_file = folder + "/ra.key";
        options.ask_client_certificate = true;
        auto started = http::Server::start(
            options, [this, retry_after](const http::ServerRequest& request) -> http::ServerResponse {
                const std::lock_guard lock{mutex};
                bodies.push_back(request.body);
                return {202, {{"Retry-After", retry_after}}, "", false};
            });
        REQUIRE(started);
        server = std::move(*started);
    }
    ~Registrar()
    {
        server.reset();
        std::filesystem::remove_all(folder);
    }
    Registrar(const Registrar&) = delete;
    Registrar& operator=(const Registrar&) = delete;
};

} // namespace

TEST_CASE(
    "BRP-04, BRP-14: a pledge waits 60 s at a time, sends the very same request, and gives up after 4 days")
{
    Registrar registrar{"600"};
    const auto device = test::make_identity("device", "SN-1");
    brski::PledgeOptions options;
    options.idevid = {{device.certificate}, device.key};
    Clock clock{59min}; // so that four days are not thousands of requests
    const auto reply = brski::request_voucher("https://127.0.0.1:" + std::to_string(registrar.server->port()),
                                              options, clock);
    REQUIRE_FALSE(reply);
    CHECK(reply.error().code == Errc::temporary);
    CHECK(clock.longest == 60s);
    CHECK(clock.slept == 96h);
    REQUIRE(registrar.bodies.size() == 97);
    CHECK(std::all_of(registrar.bodies.begin(), registrar.bodies.end(),
                      [&](const std::string& one) { return one == registrar.bodies.front(); }));
}
