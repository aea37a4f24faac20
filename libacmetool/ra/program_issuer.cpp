#include "ra/program_issuer.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <map>
#include <mutex>
#include <thread>

#include <fmt/core.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "acme/order.h"
#include "acme/problem.h"
#include "base/process.h"
#include "base/text.h"
#include "ra/stoppable_context.h"

namespace acmetool::ra
{
namespace
{

using base::Json;
using Steady = std::chrono::steady_clock;

constexpr unsigned kThreads = 4;
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

class ProgramIssuer final : public Issuer
{
public:
    explicit ProgramIssuer(std::vector<std::string> arguments) : arguments_(std::move(arguments)) {}
    ~ProgramIssuer() override
    {
        {
            const std::lock_guard lock{mutex_};
            stopping_ = true;
        }
        changed_.notify_all();
        for (auto& thread : threads_)
            thread.join();
    }
    void attach(IssuerHost& host) override
    {
        host_ = &host;
        for (unsigned i = 0; i < kThreads; ++i)
            threads_.emplace_back([this] { work(); });
    }
    void start(IssuerOrder order) override { enqueue(Steady::now(), std::move(order)); }
    Json status() override
    {
        const std::lock_guard lock{mutex_};
        Json status{{"program", arguments_.front()}, {"waiting", queue_.size()}};
        if (last_success_) status["lastSuccess"] = base::to_rfc3339(*last_success_);
        if (last_failure_) {
            status["lastFailure"] = base::to_rfc3339(*last_failure_);
            status["lastError"] = failure_;
        }
        return status;
    }

private:
    void enqueue(Steady::time_point when, IssuerOrder order)
    {
        const std::lock_guard lock{mutex_};
        queue_.emplace(when, std::move(order));
        changed_.notify_one();
    }

    void work()
    {
        for (;;) {
            IssuerOrder order;
            {
                std::unique_lock lock{mutex_};
                while (!stopping_ && (queue_.empty() || queue_.begin()->first > Steady::now())) {
                    if (queue_.empty())
                        changed_.wait(lock);
                    else
                        changed_.wait_until(lock, Steady::time_point{queue_.begin()->first});
                }
                if (stopping_) return;
                order = std::move(queue_.extract(queue_.begin()).mapped());
            }
            auto outcome = run(order);
            if (!outcome) {
                if (outcome.error().code == Errc::interrupted) return; // the next run of ours continues
                remember(outcome.error().message);
                host_->failed(order.id, std::move(outcome).error(), false);
            } else if (const auto* wait = std::get_if<NotYet>(&*outcome)) {
                host_->deferred(order.id, wait->retry_after);
                enqueue(Steady::now() + wait->retry_after, std::move(order));
            } else {
                remember({});
                host_->issued(order.id, std::get<std::vector<crypto::Certificate>>(std::move(*outcome)));
            }
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

    std::vector<std::string> arguments_;
    IssuerHost* host_ = nullptr;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::multimap<Steady::time_point, IssuerOrder> queue_; ///< by the time they are due
    std::optional<base::TimePoint> last_success_;
    std::optional<base::TimePoint> last_failure_;
    std::string failure_;
    std::atomic<bool> stopping_{false};
    StoppableContext context_{stopping_};
    std::vector<std::thread> threads_;
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
