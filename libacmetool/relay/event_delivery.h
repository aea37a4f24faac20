#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/context.h"
#include "base/json.h"
#include "base/result.h"
#include "base/secret.h"
#include "base/worker.h"
#include "ra/stoppable_context.h"
#include "relay/config.h"

namespace acmetool::relay
{

/// What an attempt to tell somebody of an event needs.
struct EventMessage {
    std::string id; ///< the same in every attempt
    std::string body;
};

/// The headers of a webhook as Standard Webhooks 1.0.0 has them: webhook-id, webhook-timestamp and
/// webhook-signature, an HMAC-SHA256 over the three parts "ID.TIMESTAMP.BODY". `key`: octets, or base64
/// behind "whsec_". Errors: config.
Result<std::vector<std::pair<std::string, std::string>>>
webhook_headers(const EventMessage& message, const base::Secret& key, base::TimePoint now);

/// Errors: config.
Result<base::Secret> read_webhook_key(const std::string& file);

/// True if the event is one of those that [events] chooses.
bool is_chosen(const base::Json& event, const EventOptions& options);

/// Tells one receiver of events, one after the other, on a thread of its own. Nobody waits for it: its queue
/// is bounded, and what does not fit is dropped and counted. An attempt that fails is repeated, after longer
/// and longer pauses, until the event is an hour old.
class EventReceiver
{
public:
    using Attempt = std::function<Result<void>(const EventMessage&, base::Context&)>;
    /// Told in words of what could not be delivered.
    using Complaint = std::function<void(const std::string&)>;

    struct Pace {
        base::Milliseconds first_pause{1000};
        base::Milliseconds longest_pause{std::chrono::minutes{5}};
        base::Milliseconds patience{std::chrono::hours{1}};
        std::size_t queue = 1000;
    };
    struct Counts {
        std::uint64_t delivered = 0;
        std::uint64_t dropped = 0; ///< the queue was full, or patience ended
        std::uint64_t failed = 0;  ///< attempts
    };

    EventReceiver(const std::string& name, Attempt attempt, Complaint complaint, Pace pace);
    EventReceiver(const std::string& name, Attempt attempt, Complaint complaint)
        : EventReceiver(name, std::move(attempt), std::move(complaint), Pace{})
    {
    }
    ~EventReceiver(); ///< stops
    EventReceiver(const EventReceiver&) = delete;
    EventReceiver& operator=(const EventReceiver&) = delete;

    void offer(EventMessage message);
    /// Ends an attempt. Returns what waits.
    std::vector<EventMessage> stop();
    Counts counts() const;

private:
    struct Waiting {
        EventMessage message;
        base::Worker::Clock::time_point since;
    };

    void work();
    void drop_first(const std::string& why);

    const std::string name_;
    const Attempt attempt_;
    const Complaint complaint_;
    const Pace pace_;
    ra::StopSignal stopping_;
    base::Milliseconds pause_; ///< of the worker
    mutable std::mutex mutex_; ///< of the next three
    std::deque<Waiting> waiting_;
    bool is_working_ = false; ///< a turn of the worker is due
    Counts counts_;
    base::Worker worker_; ///< destroyed first
};

/// The receivers that [events] names. All calls may be made by any thread.
class EventDelivery
{
public:
    /// `complaint` is called by other threads. Errors: config.
    static Result<std::unique_ptr<EventDelivery>> start(const EventOptions& options,
                                                        const EventReceiver::Complaint& complaint);

    void event(const base::Json& event);
    /// Ends `former`, and goes on with what waits there for a receiver that is here as well.
    void continue_for(EventDelivery& former);
    /// By receiver, "hook" and "webhook".
    std::map<std::string, EventReceiver::Counts> counts() const;
    const EventOptions& options() const { return options_; }

private:
    explicit EventDelivery(EventOptions options) : options_(std::move(options)) {}

    const EventOptions options_;
    std::map<std::string, std::unique_ptr<EventReceiver>> receivers_;
};

} // namespace acmetool::relay
