#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/context.h"
#include "base/json.h"
#include "base/time.h"
#include "base/trace.h"
#include "est/server.h"

namespace acmetool::relay
{

/// Why a device or a packet was turned away.
struct RecentRefusal {
    base::TimePoint at;
    std::string cause;      ///< a name of enrol::Refusal, "voucher", "teap", "radius"
    std::string device;     ///< its identifier or serial number; may be empty
    std::string who;        ///< what is known of it, for people
    std::string address;    ///< may be empty
    std::string request_id; ///< may be empty
    std::string text;
};

/// How long answers took, in seconds.
struct Histogram {
    static constexpr std::array<double, 11> kBounds{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10};
    std::array<std::uint64_t, kBounds.size() + 1> counts{}; ///< up to each bound, and above the last
    double sum = 0;

    void add(std::chrono::microseconds took);
};

/// What a relay remembers of its last requests, for its page and its metrics: a bounded number of messages
/// and refusals, and counts since the start. A restart forgets it. All calls may be made by any thread.
class Recent
{
public:
    using Latencies = std::map<std::pair<std::string, std::string>, Histogram>;

    void message(const base::Message& message, base::TimePoint now);
    /// Remembers the refusal that an event of the log tells of; other events are ignored.
    void event(const base::Json& event, base::TimePoint now);
    void request(const est::RequestEvent& event);

    /// The messages of a request, and of the others of its device.
    base::Trace trace_of(const std::string& request_id) const;
    /// The last request of a device that was refused; empty: none.
    std::string refused_request_of(const std::string& device) const;
    std::vector<RecentRefusal> refusals() const;                           ///< newest first
    std::map<std::string, std::uint64_t> refused() const;                  ///< by cause, since the start
    std::map<std::pair<std::string, int>, std::uint64_t> requests() const; ///< by operation and status
    Latencies latencies() const; ///< of EST requests, by operation and outcome

private:
    mutable std::mutex mutex_; ///< of all below
    std::deque<base::TraceEntry> messages_;
    std::deque<RecentRefusal> refusals_; ///< newest first
    std::map<std::string, std::uint64_t> refused_;
    std::map<std::pair<std::string, int>, std::uint64_t> requests_;
    Latencies latencies_;
};

} // namespace acmetool::relay
