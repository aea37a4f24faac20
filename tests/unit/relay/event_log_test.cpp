#include "relay/event_log.h"

#include <atomic>
#include <chrono>
#include <cstring>
#include <filesystem>
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
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "../ra/fixture.h"
#include "cli/log_form.h"

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

/// What listens where the journal would.
class JournalDouble
{
public:
    JournalDouble()
    {
        REQUIRE(mkdtemp(folder_.data()) != nullptr);
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        const auto path = this->path();
        std::memcpy(address.sun_path, path.data(), path.size());
        fd_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        REQUIRE(bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    }
    ~JournalDouble()
    {
        close(fd_);
        std::filesystem::remove_all(folder_);
    }
    JournalDouble(const JournalDouble&) = delete;
    JournalDouble& operator=(const JournalDouble&) = delete;

    std::string path() const { return folder_ + "/socket"; }
    std::string next()
    {
        std::string entry(65536, '\0');
        const auto size = recv(fd_, entry.data(), entry.size(), 0);
        REQUIRE(size >= 0);
        entry.resize(static_cast<std::size_t>(size));
        return entry;
    }

private:
    std::string folder_ = "/tmp/journal-test-XXXXXX";
    int fd_ = -1;
};

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

TEST_CASE("OPR-28: journal: an entry has message, priority, program, and a field for each plain member of "
          "the event")
{
    JournalDouble there;
    cli::Journal journal{"est-relay", there.path()};
    REQUIRE(journal.send(base::Level::warning, "no",
                         {{"event", "decision"},
                          {"level", "warning"},
                          {"msg", "no"},
                          {"request_id", "4f1d"},
                          {"csrSha256", "ab"},
                          {"status", 403},
                          {"fromCache", true},
                          {"identifiers", {"a", "b"}}}));
    CHECK(there.next() == "MESSAGE=no\nPRIORITY=4\nSYSLOG_IDENTIFIER=est-relay\nACMETOOL_CSR_SHA256=ab\n"
                          "ACMETOOL_EVENT=decision\nACMETOOL_FROM_CACHE=true\nACMETOOL_REQUEST_ID=4f1d\n"
                          "ACMETOOL_STATUS=403\n");
    REQUIRE(journal.send(base::Level::info, "one\ntwo", base::Json{{std::string(100, 'x'), 1}}));
    CHECK(there.next() == std::string{"MESSAGE\n\x07\0\0\0\0\0\0\0one\ntwo\n", 24} +
                              "PRIORITY=6\nSYSLOG_IDENTIFIER=est-relay\nACMETOOL_" + std::string(55, 'X') +
                              "=1\n");
}

TEST_CASE("OPR-28: journal: one that is away, is full or takes no such size takes nothing, and nobody waits")
{
    CHECK_FALSE(cli::Journal("p", "/nowhere/socket").send(base::Level::info, "m", base::Json::object()));
    CHECK_FALSE(cli::Journal("p", std::string(200, 'x')).send(base::Level::info, "m", base::Json::object()));
    const JournalDouble there;
    cli::Journal journal{"p", there.path()};
    int taken = 0;
    while (taken < 100'000 && journal.send(base::Level::info, "m", base::Json::object()))
        ++taken;
    CHECK(taken > 0);
    CHECK(taken < 100'000);
}
