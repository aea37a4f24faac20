// bench-relay CONFIG CA_DIR
//
// est-relay's EST side as CONFIG (a relay.toml) describes it, and its TEAP side where [listen] has radius,
// with an issuer that answers at once from the lab CA in CA_DIR: what is measured is the registration
// authority, not somebody's CA. The issuer works in a thread named "issuer", whose CPU time bench-est leaves
// out. Prints "ready" and serves until it is killed.
#include <pthread.h>
#include <unistd.h>

#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <mutex>
#include <thread>

#include <nlohmann/json.hpp>

#include "access/service.h"
#include "ca/authority.h"
#include "cli/runtime.h"
#include "crypto/request_info.h"
#include "est/server.h"
#include "http/server.h"
#include "ra/engine.h"
#include "relay/config.h"
#include "relay/daemon.h"
#include "relay/event_log.h"

using namespace acmetool;

namespace
{

base::TimePoint now()
{
    return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
}

template <class T>
T or_exit(Result<T> result)
{
    if (result) return std::move(*result);
    std::fprintf(stderr, "bench-relay: %s\n", result.error().message.c_str());
    std::exit(1);
}

class InstantIssuer final : public ra::Issuer
{
public:
    explicit InstantIssuer(ca::Authority authority) : authority_(std::move(authority)) {}
    ~InstantIssuer() override
    {
        {
            const std::lock_guard lock{mutex_};
            stopping_ = true;
        }
        changed_.notify_all();
        thread_.join();
    }
    void attach(ra::IssuerHost& host) override
    {
        host_ = &host;
        thread_ = std::thread{[this] { work(); }};
        pthread_setname_np(thread_.native_handle(), "issuer");
    }
    void start(ra::IssuerOrder order) override
    {
        {
            const std::lock_guard lock{mutex_};
            orders_.push_back(std::move(order));
        }
        changed_.notify_one();
    }
    base::Json status() override { return base::Json::object(); }

private:
    void work()
    {
        for (;;) {
            std::unique_lock lock{mutex_};
            changed_.wait(lock, [this] { return stopping_ || !orders_.empty(); });
            if (stopping_) return;
            const auto order = std::move(orders_.front());
            orders_.pop_front();
            lock.unlock();
            const auto key = or_exit(crypto::requested_key(or_exit(host_->csr(order.id))));
            host_->issued(order.id, or_exit(authority_.issue(key, order.identifiers, now(),
                                                             std::chrono::hours{24 * 90})));
        }
    }

    ca::Authority authority_;
    ra::IssuerHost* host_ = nullptr;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<ra::IssuerOrder> orders_;
    bool stopping_ = false;
    std::thread thread_;
};

} // namespace

int main(int argc, char** argv)
{
    if (argc != 3) {
        std::fputs("bench-relay: see the head of bench/relay.cpp\n", stderr);
        return 64;
    }
    const auto config = or_exit(relay::load_config(argv[1]));
    cli::CommonOptions common;
    common.log_format = "json";
    cli::Runtime runtime{"bench-relay", common};
    relay::EventLog log{"bench-relay", runtime};
    ra::Engine::Parts parts;
    parts.issuer = std::make_unique<InstantIssuer>(
        or_exit(ca::Authority::open(argv[2], {"localhost", "127.0.0.1"}, now())));
    parts.events = &log;
    auto engine = or_exit(ra::Engine::open(config.ra, std::move(parts)));
    est::Server est{*engine, or_exit(relay::est_options(config)),
                    [&log](const est::RequestEvent& event) { log.request(event); }};
    const auto listener = or_exit(
        http::Server::start(config.http, [&est](const http::ServerRequest& request, http::Responder respond) {
            est.handle(request, std::move(respond));
        }));
    std::unique_ptr<access::Service> teap;
    if (config.teap) teap = or_exit(access::Service::start(*config.teap, *engine, nullptr, log));
    std::puts("ready");
    std::fflush(stdout);
    for (;;)
        pause();
}
