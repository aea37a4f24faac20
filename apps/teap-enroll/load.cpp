#include "teap-enroll/load.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <map>
#include <mutex>
#include <thread>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "cli/exit_code.h"
#include "common/est_session.h"
#include "teap-enroll/conversation.h"

namespace acmetool::cli
{
namespace
{

using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::duration<double, std::milli>;

/// The context of one thread: knows when to stop and does not report single packets.
class Worker final : public base::Context
{
public:
    Worker(const base::Context& whole, std::optional<Clock::time_point> run_ends)
        : whole_(whole), run_ends_(run_ends)
    {
    }
    bool interrupted() const override { return whole_.interrupted(); }
    std::optional<Clock::time_point> run_ends() const override { return run_ends_; }

private:
    const base::Context& whole_;
    std::optional<Clock::time_point> run_ends_; ///< of --timeout, for all conversations together
};

struct Figures {
    std::mutex mutex;
    std::vector<double> took; ///< ms, of the successful ones
    unsigned enrolled = 0;
    std::map<std::string, unsigned> failures; ///< by reason
    std::optional<Error> first;
    int status = 0; ///< of the first failure

    void succeeded(double milliseconds, bool got_certificate)
    {
        const std::lock_guard lock{mutex};
        took.push_back(milliseconds);
        if (got_certificate) ++enrolled;
    }
    void failed(Error error, int exit_status)
    {
        const std::lock_guard lock{mutex};
        ++failures[name_of(error)];
        if (first) return;
        first = std::move(error);
        status = exit_status;
    }
};

std::string numbered(std::string text, unsigned number)
{
    constexpr std::string_view kPlace = "{n}";
    if (const auto at = text.find(kPlace); at != std::string::npos)
        text.replace(at, kPlace.size(), std::to_string(number));
    return text;
}

double percentile(const std::vector<double>& sorted, std::size_t percent)
{
    return sorted.empty() ? 0 : sorted[std::min(sorted.size() - 1, sorted.size() * percent / 100)];
}

/// Only as many decimals as are meaningful.
double rounded(double value)
{
    return std::round(value * 1000) / 1000;
}

/// Shared by all conversations.
struct Load {
    const TeapOptions& options;
    base::Secret secret;
    crypto::TrustAnchors anchors;
    std::vector<crypto::Certificate> known; ///< those of --ca-file
    teap::BrskiNumbers numbers;
    Figures figures;

    Result<teap::PeerResult> one(const TeapOptions& own, base::Context& context, double& milliseconds) const
    {
        ACMETOOL_TRY(tls, read_device(own, known));
        ACMETOOL_TRY(request, TeapRequest::passing(own, tls.chain));
        const auto begin = Clock::now();
        auto result = hold({own, secret, tls, anchors, request, {}}, context);
        milliseconds = Milliseconds{Clock::now() - begin}.count();
        return result;
    }
    void run(unsigned number, base::Context& context)
    {
        auto own = options;
        for (auto* text : {&own.cert, &own.key, &own.idevid, &own.idevid_key})
            *text = numbered(*text, number);
        double milliseconds = 0;
        auto result = one(own, context, milliseconds);
        if (!result) {
            const auto status = exit_code(result.error().code);
            figures.failed(std::move(result).error(), status);
        } else if (auto later = not_yet(*result, numbers)) {
            Error error;
            error.message = std::move(later->what);
            error.reason = "deferred";
            figures.failed(std::move(error), kExitDeferred);
        } else if (auto error = complaint(*result, own, numbers)) {
            const auto status = exit_code(error->code);
            figures.failed(std::move(*error), status);
        } else {
            figures.succeeded(milliseconds, result->certificate.has_value());
        }
    }
};

} // namespace

Result<void> teap_load(const TeapOptions& options, Io& io)
{
    ACMETOOL_TRY(secret, read_secret(options.secret_file, "--secret-file"));
    ACMETOOL_TRY(numbers, numbers_of(options));
    ACMETOOL_TRY(known, read_anchors(io.ca_file()));
    Load load{options, std::move(secret), {{}, io.ca_file(), io.ca_file().empty()}, known, numbers, {}};
    std::atomic<unsigned> next{1};
    const auto begin = Clock::now();
    const auto run_ends = io.context().run_ends();
    {
        std::vector<std::jthread> threads;
        for (unsigned i = 0; i < std::min(options.parallel, options.count); ++i)
            threads.emplace_back([&] {
                Worker context{io.context(), run_ends};
                for (unsigned number = next++; number <= options.count; number = next++) {
                    if (context.interrupted()) return;
                    load.run(number, context);
                }
            });
    }
    const double seconds = Milliseconds{Clock::now() - begin}.count() / 1000;
    auto& figures = load.figures;
    if (io.context().interrupted()) return fail(base::interrupted_error("the conversations to end"));
    std::sort(figures.took.begin(), figures.took.end());
    const auto ok = figures.took.size();
    base::Json failures = base::Json::object();
    for (const auto& [reason, times] : figures.failures)
        failures[reason] = times;
    ACMETOOL_CHECK(io.write_document("load", {{"count", options.count},
                                              {"parallel", options.parallel},
                                              {"ok", ok},
                                              {"enrolled", figures.enrolled},
                                              {"failed", options.count - ok},
                                              {"failures", failures},
                                              {"seconds", rounded(seconds)},
                                              {"perSecond", rounded(static_cast<double>(ok) / seconds)},
                                              {"milliseconds",
                                               {{"p50", rounded(percentile(figures.took, 50))},
                                                {"p99", rounded(percentile(figures.took, 99))}}}}));
    if (!figures.first) return {};
    io.context().log(base::Level::error,
                     fmt::format("{} of {} conversations failed; the first failure: {}", options.count - ok,
                                 options.count, figures.first->message));
    io.exit_with(figures.status);
    return {};
}

} // namespace acmetool::cli
