#pragma once

#include <atomic>
#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "acme/order.h"
#include "acme/session.h"
#include "http/multi_client.h"
#include "ra/acme_issuer.h"
#include "ra/preauth_keeper.h"
#include "ra/stoppable_context.h"

namespace acmetool::ra
{

inline constexpr base::Milliseconds kFirstPoll{25};
inline constexpr std::chrono::seconds kDirectoryRetry{5};

/// What other threads hand to the issuer's own. Outlives it, for those that come too late.
struct Inbox {
    std::mutex mutex;
    std::vector<std::function<void()>> messages;
    http::MultiClient* http = nullptr; ///< to wake; null once the issuer goes

    void post(std::function<void()> message)
    {
        const std::lock_guard lock{mutex};
        if (http == nullptr) return;
        messages.push_back(std::move(message));
        http->wake();
    }
};

/// An order between two looks at it: all that is kept of it.
struct Resting {
    IssuerOrder order;
    std::chrono::steady_clock::time_point began;
    bool authorized = false;
    bool resumed = false; ///< its URL comes from before this run
};

/// An order that is being worked on.
struct Active {
    Resting rest;
    acme::OrderFlow flow;
    bool has_csr = false;
    acme::Step step = acme::Step::directory; ///< of the last request
    std::optional<acme::Exchange> exchange;
};
using ActivePtr = std::shared_ptr<Active>;

/// True of a failure that time may mend.
bool may_pass(const Error& error);

/// See make_acme_issuer(). The thread, its queues, the directory and the search for lost orders are in
/// acme_issuer.cpp, what becomes of one order is in acme_issuer_orders.cpp.
class AcmeIssuer final : public Issuer
{
public:
    AcmeIssuer(const Options& options, acme::Session session, const http::CurlLibrary& curl,
               http::ClientOptions http_options, std::unique_ptr<PreauthKeeper> keeper)
        : options_(options), directory_url_(session.directory.url), session_(std::move(session)),
          http_(curl, std::move(http_options), options.limits.requests_in_flight), keeper_(std::move(keeper)),
          inbox_(std::make_shared<Inbox>())
    {
        inbox_->http = &http_;
    }
    ~AcmeIssuer() override;

    void attach(IssuerHost& host) override;
    void start(IssuerOrder order) override
    {
        inbox_->post([this, order = std::move(order)]() mutable { accept(std::move(order)); });
    }
    base::Json status() override;

private:
    void run();
    void run_messages();
    void run_timers();
    void need_directory();
    void take_directory(Result<http::Response> outcome);
    void accept(IssuerOrder order);
    void adopt();
    void begin_queued();
    void prepare(IssuerOrder order);
    void begin(const IssuerOrder& order);
    void send(http::Request request, const acme::Post& post, bool for_nonce, const std::string& request_id,
              http::MultiClient::Done done);
    void wake_up(Resting rest);
    void drive(const ActivePtr& active);
    void pump(const ActivePtr& active);
    void placed(const ActivePtr& active);
    Result<void> give_csr(Active& active);
    acme::OrderRequest request_for(const IssuerOrder& order) const;
    void rest(Resting resting, base::Milliseconds wait, bool asked_for);
    void authorize(const ActivePtr& active, std::vector<std::string> urls);
    void ended(const ActivePtr& active, Error error);
    void give_up(const IssuerOrder& order, Error error, bool over);
    void at(std::chrono::steady_clock::time_point when, std::function<void()> what)
    {
        timers_.emplace(when, std::move(what));
    }
    base::TimePoint now() const { return context_.now(); }
    std::size_t most_active() const { return 2 * std::size_t{options_.limits.requests_in_flight}; }

    const Options options_;
    const std::string directory_url_;
    acme::Session session_; ///< its directory is empty until it was read
    http::MultiClient http_;
    std::unique_ptr<PreauthKeeper> keeper_;
    std::shared_ptr<Inbox> inbox_;
    std::atomic<bool> stopping_{false};
    StoppableContext context_{stopping_};
    IssuerHost* host_ = nullptr;

    // Of the issuer's thread alone.
    bool asking_directory_ = false;
    std::optional<Error> directory_error_;
    std::chrono::steady_clock::time_point directory_at_{}; ///< of the last answer, good or bad
    std::deque<IssuerOrder> queued_;
    std::deque<IssuerOrder> ready_;    ///< may be placed as soon as fewer are worked on
    std::vector<IssuerOrder> orphans_; ///< may have an order whose URL was lost
    bool adopting_ = false;
    std::set<ActivePtr> active_;
    std::multimap<std::chrono::steady_clock::time_point, Resting> resting_;
    std::multimap<std::chrono::steady_clock::time_point, std::function<void()>> timers_;

    std::mutex status_mutex_;
    std::optional<base::TimePoint> last_success_;
    std::optional<base::TimePoint> last_failure_;
    std::string failure_;
    std::atomic<std::size_t> resting_count_{0};
    std::atomic<std::size_t> active_count_{0};

    std::thread adopter_;
    std::thread thread_;
};

} // namespace acmetool::ra
