#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
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

/// A registrar that gives the same answer to every request, or another one at a path.
struct Registrar {
    std::string folder;
    std::mutex mutex;
    std::vector<std::string> bodies;
    std::map<std::string, http::ServerResponse> elsewhere; ///< answers by path
    std::unique_ptr<http::Server> server;

    explicit Registrar(const http::ServerResponse& answer)
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
            options, [this, answer](const http::ServerRequest& request) -> http::ServerResponse {
                const std::lock_guard lock{mutex};
                bodies.push_back(request.body);
                const auto other = elsewhere.find(request.target);
                return other == elsewhere.end() ? answer : other->second;
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

/// "Not yet", and when to come back.
http::ServerResponse later(const std::string& retry_after)
{
    return {202, {{"Retry-After", retry_after}}, "", false};
}

/// The error with which a device's attempt ends at `registrar`.
Error attempt(const Registrar& registrar, Clock& clock, const brski::PledgeOptions& options = {})
{
    const auto device = test::make_identity("device", "SN-1");
    auto with = options;
    with.idevid = {{device.certificate}, device.key};
    const auto reply =
        brski::request_voucher("https://127.0.0.1:" + std::to_string(registrar.server->port()), with, clock);
    REQUIRE_FALSE(reply);
    return reply.error();
}

} // namespace

TEST_CASE("BRP-04a, BRP-04b, BRP-14a: a pledge waits 60 s at a time, and sends the very same request")
{
    for (const auto& [asked, waited] :
         {std::pair{"600", 60s}, {"61", 60s}, {"60", 60s}, {"59", 59s}, {"1", 1s}}) {
        CAPTURE(asked);
        Registrar registrar{later(asked)};
        Clock clock{0ms};
        brski::PledgeOptions options;
        options.deadline = waited * 3;
        CHECK(attempt(registrar, clock, options).code == Errc::temporary);
        CHECK(clock.longest == waited);
        CHECK(clock.slept == waited * 3);
        REQUIRE(registrar.bodies.size() == 4);
        CHECK(std::all_of(registrar.bodies.begin(), registrar.bodies.end(),
                          [&](const std::string& one) { return one == registrar.bodies.front(); }));
    }
}

TEST_CASE("BRP-04c, BRP-14b: a pledge asks again for 4 days, and gives up then")
{
    Registrar registrar{later("600")};
    Clock clock{59min}; // so that four days are not thousands of requests
    const auto error = attempt(registrar, clock);
    CHECK(error.code == Errc::temporary);
    CHECK(error.message.find("no voucher yet") != std::string::npos);
    CHECK(clock.slept == 96h);
    CHECK(registrar.bodies.size() == 97);
}

TEST_CASE("CLOUD-09a: where a redirect led, a pledge that is unknown asks again four times in two hours")
{
    Registrar registrar{{401, {}, "", false}};
    Clock direct{0ms};
    CHECK(attempt(registrar, direct).reason.word() == "unauthorized");
    CHECK(direct.slept == 0ms);
    CHECK(registrar.bodies.size() == 1);

    {
        const std::lock_guard lock{registrar.mutex};
        registrar.bodies.clear();
        registrar.elsewhere = {
            {"/.well-known/brski/requestvoucher", {307, {{"Location", "/there/requestvoucher"}}, "", false}}};
    }
    Clock redirected{0ms};
    CHECK(attempt(registrar, redirected).reason.word() == "unauthorized");
    CHECK(redirected.longest == 30min);
    CHECK(redirected.slept == 2h);
    CHECK(registrar.bodies.size() == 6);
}
