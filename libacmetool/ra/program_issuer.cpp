#include "ra/program_issuer.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <mutex>

#include <fmt/core.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "acme/order.h"
#include "acme/problem.h"
#include "base/process.h"
#include "base/text.h"
#include "base/worker.h"
#include "base/worker_pool.h"
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
constexpr std::chrono::seconds kDefaultDelay{5};
constexpr std::chrono::seconds kLongestDelay{std::chrono::hours{1}};
constexpr int kDeferred = 75;
constexpr int kBadInput = 65;
constexpr int kRefused = 77;

struct NotYet {
    std::chrono::seconds retry_after;
};
using Outcome = std::variant<std::vector<crypto::Certificate>, NotYet>;

/// How long a document asks to wait; nothing where it does not say, at most a day.
std::optional<std::chrono::seconds> retry_after_of(const std::optional<Json>& document)
{
    if (!document) return std::nullopt;
    const auto seconds = document->find("retryAfter");
    if (seconds == document->end() || !seconds->is_number_unsigned()) return std::nullopt;
    constexpr std::uint64_t kDay = 86'400;
    return std::chrono::seconds{std::min(seconds->get<std::uint64_t>(), kDay)};
}

/// An error document as an error: its problem decides, else the exit status.
Error error_of(const base::Filtered& run, const std::optional<Json>& document, const std::string& program)
{
    Error error;
    error.code = run.status == kRefused    ? Errc::refused
                 : run.status == kBadInput ? Errc::bad_input
                                           : Errc::internal;
    error.reason = run.status == kRefused ? "programRefused" : "programFailed";
    std::string message;
    if (document) {
        message = base::string_member(*document, "message").value_or("");
        if (const auto member = document->find("problem"); member != document->end()) {
            const auto text = member->is_string() ? member->get<std::string>() : base::to_text(*member);
            if (const auto problem = acme::parse_problem(text)) {
                error = acme::to_error(*problem, text, 0, std::nullopt);
                if (message.empty()) message = error.message;
            }
        }
        error.retry_after = retry_after_of(document);
    }
    if (message.empty()) message = fmt::format("exit status {}", run.status);
    error.message = fmt::format("{}: {}", program, base::printable(message));
    return error;
}

Result<Outcome> read_outcome(const base::Filtered& run, const std::string& program)
{
    std::optional<Json> document;
    if (auto parsed = base::parse_json_object(run.output, program)) document = std::move(*parsed);
    if (run.status == kDeferred)
        return NotYet{std::clamp(retry_after_of(document).value_or(kDefaultDelay), std::chrono::seconds{1},
                                 kLongestDelay)};
    if (run.status != 0) return fail(error_of(run, document, program));
    const auto pem = document ? base::string_member(*document, "fullchain") : std::optional{run.output};
    if (!pem) return fail(Errc::protocol, fmt::format("{}: its document has no \"fullchain\"", program));
    auto chain = crypto::parse_pem_chain(*pem);
    if (!chain) return fail(with_context(std::move(chain).error(), program));
    return Outcome{std::move(*chain)};
}

/// Programs run on a pool; a worker has the timers of orders that are to be tried again.
class ProgramIssuer final : public Issuer
{
public:
    explicit ProgramIssuer(std::vector<std::string> arguments) : arguments_(std::move(arguments)) {}
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
        const std::lock_guard lock{mutex_};
        Json status{{"program", arguments_.front()}, {"waiting", waiting_.load()}};
        if (last_success_) status["lastSuccess"] = base::to_rfc3339(*last_success_);
        if (last_failure_) {
            status["lastFailure"] = base::to_rfc3339(*last_failure_);
            status["lastError"] = failure_;
        }
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
            remember(outcome.error().message);
            host_->failed(order.id, std::move(outcome).error(), false);
        } else if (const auto* wait = std::get_if<NotYet>(&*outcome)) {
            host_->deferred(order.id, wait->retry_after);
            ++waiting_;
            worker_.at(Steady::now() + wait->retry_after, [this, order] { enqueue(order); });
        } else {
            remember({});
            host_->issued(order.id, std::get<std::vector<crypto::Certificate>>(std::move(*outcome)));
        }
    }

    void remember(const std::string& failure)
    {
        const std::lock_guard lock{mutex_};
        if (failure.empty()) {
            last_success_ = context_.now();
            return;
        }
        last_failure_ = context_.now();
        failure_ = failure;
    }

    Result<Outcome> run(const IssuerOrder& order)
    {
        ACMETOOL_TRY(der, host_->csr(order.id));
        ACMETOOL_TRY(csr, crypto::parse_csr(as_text(der)));
        base::Command command;
        command.arguments = arguments_;
        command.timeout = kTimeout;
        ACMETOOL_TRY(done, base::run_filter(command, csr.to_pem(), kOutputLimit, context_));
        ACMETOOL_TRY(outcome, read_outcome(done, arguments_.front()));
        if (const auto* chain = std::get_if<std::vector<crypto::Certificate>>(&outcome)) {
            acme::OrderRequest request;
            request.identifiers = csr.identifiers;
            request.key = csr.key;
            if (auto checked = acme::check_chain(*chain, request, context_.now()); !checked)
                return fail(with_context(std::move(checked).error(), arguments_.front()));
        }
        return std::move(outcome);
    }

    const std::vector<std::string> arguments_;
    IssuerHost* host_ = nullptr;
    std::atomic<std::size_t> waiting_{0}; ///< for a thread or a time
    StopSignal stopping_;
    StoppableContext context_{stopping_};
    std::mutex mutex_; ///< of the next three
    std::optional<base::TimePoint> last_success_;
    std::optional<base::TimePoint> last_failure_;
    std::string failure_;
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
    return std::make_unique<ProgramIssuer>(std::move(arguments));
}

} // namespace acmetool::ra
