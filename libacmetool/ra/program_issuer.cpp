#include "ra/program_issuer.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>

#include <fmt/core.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "acme/order.h"
#include "base/process.h"
#include "base/text.h"
#include "base/worker.h"
#include "base/worker_pool.h"
#include "crypto/csr.h"
#include "crypto/request_info.h"
#include "ra/outcomes.h"
#include "ra/program_output.h"
#include "ra/stoppable_context.h"

namespace acmetool::ra
{
namespace
{

using base::Json;
using Steady = base::Worker::Clock;

constexpr std::size_t kThreads = 4;
constexpr std::size_t kOutputLimit = 1U << 20U;
constexpr base::Milliseconds kTimeout{300'000};

/// Of one run: what the program writes to standard error becomes events.
class RunContext final : public StoppableContext
{
public:
    RunContext(const StopSignal& stopping, IssuerHost& host, const IssuerOrder& order)
        : StoppableContext(stopping), host_(host), order_(order)
    {
    }
    void log(base::Level level, std::string_view text) override
    {
        if (level > base::Level::info) return;
        Json event{{"event", "issuer"}, {"level", "info"}, {"id", order_.id}, {"text", text}};
        if (!order_.request_id.empty()) event["request_id"] = order_.request_id;
        host_.event(std::move(event));
    }

private:
    IssuerHost& host_;
    const IssuerOrder& order_;
};

/// Programs run on a pool; a worker has the timers of orders that are to be tried again.
class ProgramIssuer final : public Issuer
{
public:
    ProgramIssuer(std::vector<std::string> arguments, std::vector<std::string> inherit)
        : arguments_(std::move(arguments)), inherit_(std::move(inherit))
    {
    }
    ~ProgramIssuer() override
    {
        // Each posts to the other: what is posted from now on is dropped, and the next run continues it.
        stopping_.request();
        worker_.stop();
        programs_.stop();
    }
    void attach(IssuerHost& host) override { host_ = &host; }
    void start(IssuerOrder order) override
    {
        ++waiting_;
        enqueue(std::move(order));
    }
    Json status() override
    {
        Json status{{"program", arguments_.front()}, {"waiting", waiting_.load()}};
        outcomes_.add_to(status);
        return status;
    }

private:
    void enqueue(IssuerOrder order)
    {
        static_cast<void>(programs_.post([this, order = std::move(order)] { work(order); }));
    }

    /// On a thread of the pool.
    void work(const IssuerOrder& order)
    {
        if (stopping_.requested()) return;
        --waiting_;
        auto outcome = run(order);
        if (!outcome) {
            if (outcome.error().code == Errc::interrupted) return; // the next run continues
            outcomes_.failed(clock_.now(), outcome.error().message);
            host_->failed(order.id, std::move(outcome).error(), false);
        } else if (const auto* wait = std::get_if<NotYet>(&*outcome)) {
            host_->deferred(order.id, wait->retry_after);
            ++waiting_;
            worker_.at(Steady::now() + wait->retry_after, [this, order] { enqueue(order); });
        } else {
            outcomes_.succeeded(clock_.now());
            host_->issued(order.id, std::get<std::vector<crypto::Certificate>>(std::move(*outcome)));
        }
    }

    Result<ProgramOutcome> run(const IssuerOrder& order)
    {
        ACMETOOL_TRY(der, host_->csr(order.id));
        ACMETOOL_TRY(key, crypto::requested_key(der));
        base::Command command;
        command.arguments = arguments_;
        command.timeout = kTimeout;
        command.inherit = inherit_;
        command.name = "issuer " + arguments_.front();
        RunContext context{stopping_, *host_, order};
        ACMETOOL_TRY(done, base::run_filter(command, crypto::csr_pem(der), kOutputLimit, context));
        ACMETOOL_TRY(outcome, read_program_output(done, arguments_.front()));
        if (const auto* chain = std::get_if<std::vector<crypto::Certificate>>(&outcome)) {
            acme::OrderRequest request;
            request.identifiers = order.identifiers;
            request.key = std::move(key);
            if (auto checked = acme::check_chain(*chain, request, context.now()); !checked)
                return fail(with_context(std::move(checked).error(), arguments_.front()));
        }
        return std::move(outcome);
    }

    const std::vector<std::string> arguments_;
    const std::vector<std::string> inherit_; ///< names of environment variables
    IssuerHost* host_ = nullptr;
    std::atomic<std::size_t> waiting_{0}; ///< for a thread or a time
    StopSignal stopping_;
    const base::Context clock_;
    Outcomes outcomes_;
    base::WorkerPool programs_{{.name = "program", .threads = kThreads, .queue = SIZE_MAX}};
    base::Worker worker_{"ra-program"};
};

/// `name` with its folder, looked for in PATH as a shell would.
std::string find_program(const std::string& name)
{
    if (name.find('/') != std::string::npos) return name;
    const char* path = std::getenv("PATH");
    for (const auto folder : base::split(path != nullptr ? path : "/usr/bin:/bin", ':'))
        if (auto file = fmt::format("{}/{}", folder, name); ::access(file.c_str(), X_OK) == 0) return file;
    return name;
}

} // namespace

Result<std::unique_ptr<Issuer>> make_program_issuer(const Options& options)
{
    auto arguments = options.issuer_program;
    arguments.front() = find_program(arguments.front());
    const auto& program = arguments.front();
    if (program.find('/') == std::string::npos || ::access(program.c_str(), X_OK) != 0)
        return fail(Errc::config, fmt::format("issuer {}: not there, or not executable", program),
                    "name a program in PATH, or give its folder", "programNotFound");
    if (std::find(arguments.begin(), arguments.end(), "--json") == arguments.end())
        arguments.emplace_back("--json");
    return std::make_unique<ProgramIssuer>(std::move(arguments), options.issuer_env);
}

} // namespace acmetool::ra
