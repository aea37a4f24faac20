#include "relay/event_log.h"

#include <atomic>
#include <chrono>
#include <fstream>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "../ra/fixture.h"

using namespace acmetool;
using namespace std::chrono_literals;

namespace
{

/// A daemon's streams that nobody reads.
class SilentIo final : public cli::Io
{
public:
    base::Context& context() override { return context_; }
    bool json() const override { return false; }
    std::optional<base::Milliseconds> timeout() const override { return {}; }
    std::string ca_file() const override { return {}; }
    std::string output() const override { return {}; }
    bool json_log() const override { return true; }
    bool traces() const override { return false; }
    bool shows_flow() const override { return false; }
    base::Level log_level() const override { return base::Level::error; }
    Result<std::string> input() override { return std::string{}; }
    Result<std::string> read(const std::string& /*path*/) override { return std::string{}; }
    Result<void> write(std::string_view /*text*/) override { return {}; }
    Result<void> write_document(std::string_view /*type*/, const base::Json& /*members*/) override
    {
        return {};
    }
    Result<void> write_list(std::string_view /*type*/, std::string_view /*member*/,
                            const std::function<Result<void>(const cli::AddEntry&)>& /*fill*/) override
    {
        return {};
    }
    Result<void> print_document(std::string_view /*type*/, const base::Json& /*members*/) override
    {
        return {};
    }
    Result<void> write_key(const std::string& /*path*/, std::string_view /*pem*/) override { return {}; }
    void begin_serving() override {}
    void say(std::string_view /*text*/) override {}
    std::vector<base::OutputHealth> outputs() const override { return {}; }
    void defer(cli::Deferred /*deferred*/) override {}
    void exit_with(int /*status*/) override {}

private:
    base::Context context_;
};

/// The numbers of the events in a file of one JSON document a line.
std::set<int> numbers_in(const std::string& file)
{
    std::set<int> numbers;
    std::ifstream lines{file};
    for (std::string line; std::getline(lines, line);)
        if (const auto event = base::parse_json_object(line, "event"))
            numbers.insert(event->value("number", -1));
    return numbers;
}

} // namespace

TEST_CASE("OPR-38: no event is lost that is told while a reload changes who is told of it")
{
    constexpr int kThreads = 2;
    constexpr int kEvents = 100; // of each thread
    const test::Folder folder;
    const auto told = folder / "told";
    SilentIo io;
    relay::EventLog log{"est-relay", io};
    relay::EventOptions options;
    options.hook = {"/bin/sh", "-c", "cat >>" + told};
    const auto start = [&] {
        auto delivery = relay::EventDelivery::start(options, [](const std::string&) {});
        REQUIRE(delivery);
        log.deliver_by(std::move(*delivery));
    };
    start();
    std::atomic<int> running{kThreads};
    std::vector<std::thread> threads;
    for (int thread = 0; thread < kThreads; ++thread)
        threads.emplace_back([&, thread] {
            for (int i = 0; i < kEvents; ++i)
                log.event({{"event", "order"}, {"level", "warning"}, {"number", thread * kEvents + i}});
            --running;
        });
    while (running > 0)
        start();
    for (auto& thread : threads)
        thread.join();
    // Each takes a program. As long as there are more, there is hope.
    std::size_t seen = 0;
    const auto all_are_told = [&] { return (seen = numbers_in(told).size()) >= kThreads * kEvents; };
    for (std::size_t before = 0; !test::comes_true(all_are_told) && seen > before;)
        before = seen;
    log.deliver_by(nullptr);
    CHECK(seen == kThreads * kEvents);
}
