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
#include <vector>

#include "acme/order.h"
#include "acme/session.h"
#include "base/worker.h"
#include "base/worker_pool.h"
#include "http/multi_client_wait.h"
#include "ra/acme_issuer.h"
#include "ra/outcomes.h"
#include "ra/preauth_keeper.h"
#include "ra/stoppable_context.h"

namespace acmetool::ra
{

inline constexpr base::Milliseconds kFirstPoll{25};
inline constexpr std::chrono::seconds kDirectoryRetry{5};

/// An order between two looks at it: all that is kept of it.
struct Resting {
    IssuerOrder order;
    std::chrono::steady_clock::time_point began;
    bool authorized = false;
    bool resumed = false; ///< its URL comes from before this run
    acme::OrderPast past{};
};

/// An order that is being worked on.
struct Active {
    Resting rest;
    acme::OrderFlow flow;
    bool has_csr = false;
    acme::Step step = acme::Step::directory; ///< of the last request
    std::optional<acme::Exchange> exchange;
    std::optional<Error> doubt{}; ///< an error of which the account's state tells what it says of the order
};
using ActivePtr = std::shared_ptr<Active>;

/// True of a failure that time may mend.
bool may_pass(const Error& error);

/// See make_acme_issuer(). The directory, the turns of the worker and the search for lost orders are in
/// acme_issuer.cpp, what becomes of one order is in acme_issuer_orders.cpp.
///
/// All but start(), status() and the search belongs to the worker. Each step ends with advance(): in_turn()
/// adds it.
class AcmeIssuer final : public Issuer
{
public:
    AcmeIssuer(const Options& options, acme::Session session, std::unique_ptr<http::MultiClient> http,
               std::unique_ptr<PreauthKeeper> keeper);
    ~AcmeIssuer() override;

    void attach(IssuerHost& host) override;
    void start(IssuerOrder order) override;
    void hold(const std::string& ca, std::chrono::seconds life, const std::string& told) override;
    base::Json status() override;
    std::size_t waiting() const override { return queued_count_ + resting_count_ + active_count_; }

private:
    using Steady = base::Worker::Clock;

    template <typename Step>
    auto in_turn(Step step)
    {
        return [this, step = std::move(step)](auto... arguments) mutable {
            step(std::move(arguments)...);
            advance();
        };
    }
    /// in_turn() for whoever calls from another thread, even after the issuer is destroyed.
    template <typename Step>
    auto back_here(Step step)
    {
        return worker_.bind(in_turn(std::move(step)));
    }
    void advance();
    void need_directory();
    void take_directory(Result<http::Response> outcome);
    void accept(IssuerOrder order);
    void adopt();
    void find_urls(std::vector<IssuerOrder>& orphans, std::optional<Error>& away);
    void adopted(std::vector<IssuerOrder> orphans, const std::optional<Error>& away);
    void wake_rested();
    void begin_queued();
    void line_up(IssuerOrder order);
    void heed(const Error& error);
    bool gives_up_held();
    void prepare(IssuerOrder order);
    void begin(const IssuerOrder& order);
    void send(http::Request request, const acme::Post& post, bool for_nonce, const std::string& request_id,
              http::MultiClient::Done done);
    void compare_clocks(const Result<http::Response>& outcome);
    void wake_up(Resting rest);
    void drive(const ActivePtr& active);
    void pump(const ActivePtr& active);
    void placed(const ActivePtr& active);
    Result<void> give_csr(Active& active);
    acme::OrderRequest request_for(const IssuerOrder& order) const;
    void rest(Resting resting, base::Milliseconds wait, bool asked_for);
    void authorize(const ActivePtr& active, std::vector<std::string> urls);
    void ended(const ActivePtr& active, Error error);
    void end(const ActivePtr& active, Error error, bool is_lost);
    void give_up(const IssuerOrder& order, Error error, bool over);
    base::TimePoint now() const { return context_.now(); }
    std::size_t most_active() const { return 2 * std::size_t{options_.limits.requests_in_flight}; }
    bool takes_rested() const { return active_.size() < 2 * most_active(); }

    const Options options_;
    const std::string directory_url_;
    IssuerHost* host_ = nullptr;
    StopSignal stopping_;
    StoppableContext context_{stopping_};

    // Of the worker's thread.
    acme::Session session_; ///< its directory is empty until it was read
    bool asking_directory_ = false;
    std::optional<Error> directory_error_;
    Steady::time_point directory_at_{}; ///< of the last answer, good or bad
    std::deque<IssuerOrder> queued_;
    /// May be placed as soon as fewer are worked on, in their order: those of new devices, as they came, then
    /// renewals.
    std::multimap<base::TimePoint, IssuerOrder> ready_;
    Steady::time_point held_until_{};  ///< the CA is not asked for new orders before, as it said
    std::optional<Error> held_by_;     ///< the CA's words
    std::vector<IssuerOrder> orphans_; ///< may have an order whose URL was lost
    bool adopting_ = false;
    std::set<ActivePtr> active_;
    std::multimap<Steady::time_point, Resting> resting_;
    base::Worker::Timer timer_ = 0; ///< for the next advance(); 0: none
    Steady::time_point timer_at_{};

    Outcomes outcomes_;
    std::mutex status_mutex_;
    std::atomic<std::size_t> resting_count_{0};
    std::atomic<std::size_t> active_count_{0};
    std::atomic<std::size_t> queued_count_{0}; ///< neither resting nor active
    std::optional<std::chrono::seconds>
        clock_offset_; ///< this host's clock minus the CA's; with status_mutex_

    // Destroyed from the last to the first: what the others still find out is for the next run.
    std::unique_ptr<PreauthKeeper> keeper_;
    base::WorkerPool adopter_;          ///< the search for lost orders, which blocks
    http::MultiClient* http_ = nullptr; ///< the worker's
    base::Worker worker_;
};

} // namespace acmetool::ra
