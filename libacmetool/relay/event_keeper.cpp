#include "relay/event_keeper.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <deque>
#include <iterator>
#include <mutex>
#include <unordered_map>
#include <utility>
#include <vector>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "crypto/digest.h"
#include "ra/event_records.h"
#include "relay/event_row.h"

namespace acmetool::relay
{
namespace
{

using base::Level;
using std::chrono::minutes;
using std::chrono::seconds;
using Instant = EventKeeper::Clock::time_point;

constexpr std::size_t kMostWaiting = 20'000;
constexpr std::size_t kMostAtOnce = 500;   ///< rows in one transaction
constexpr std::size_t kMostKinds = 20'000; ///< of events that may repeat
constexpr std::size_t kMostAddresses = 4096;
constexpr std::size_t kRememberedRequests = 64;
constexpr seconds kBeforeRetry{5};
constexpr minutes kFirstWindow{1};
constexpr minutes kLongestWindow{60};
constexpr minutes kBetweenSweeps{1};

/// What strangers may cause: so many at once, and one more each time.
struct Allowance {
    double most;
    seconds each;
};
constexpr Allowance kOfAddress{20, seconds{30}};
constexpr Allowance kOfAll{2000, seconds{1}};

class Bucket
{
public:
    explicit Bucket(const Allowance& allowance) : allowance_(&allowance), left_(allowance.most) {}
    bool take(Instant now)
    {
        left_ = left_at(now);
        last_ = now;
        if (left_ < 1) return false;
        left_ -= 1;
        return true;
    }
    bool is_full(Instant now) const { return left_at(now) >= allowance_->most; }

private:
    double left_at(Instant now) const
    {
        const std::chrono::duration<double> each = allowance_->each;
        return std::min(allowance_->most, left_ + std::chrono::duration<double>{now - last_} / each);
    }

    const Allowance* allowance_;
    double left_;
    Instant last_{};
};

/// Events that say the same.
struct Repeated {
    Instant until; ///< then the next row is due
    minutes window = kFirstWindow;
    std::uint64_t times = 0; ///< since the last row
    ra::Event last;
};

bool is_of_stranger(const ra::Event& event)
{
    return event.device.empty() && !event.address.empty();
}

/// What may come again and again. That a certificate is issued is told each time.
bool may_repeat(const ra::Event& event)
{
    constexpr std::array<std::string_view, 6> kOutcomes{"refused",   "pending", "reject",
                                                        "abandoned", "accept",  "drop"};
    return is_of_stranger(event) ||
           std::find(kOutcomes.begin(), kOutcomes.end(), event.outcome) != kOutcomes.end() ||
           (event.outcome == "issued" && event.details.find("\"fromCache\":true") != std::string::npos);
}

std::string kind_of(const ra::Event& event)
{
    return fmt::format("{}\n{}\n{}\n{}\n{}\n{}", event.what, event.outcome, event.cause, event.device,
                       event.who, event.device.empty() ? event.address : std::string{});
}

} // namespace

struct EventKeeper::Impl : std::enable_shared_from_this<EventKeeper::Impl> {
    explicit Impl(Options chosen) : options(std::move(chosen)) {}

    Instant now() const { return options.clock ? options.clock() : Clock::now(); }

    void take(ra::Event event);
    // With the lock.
    bool is_told_already(const ra::Event& event);
    bool is_allowed(const ra::Event& event, Instant when);
    void note(const std::string& kind, ra::Event& event, Instant when);
    void add(ra::Event event);
    void push(ra::Event event);
    void drop(std::uint64_t& untold, std::uint64_t times);
    void arm(std::chrono::milliseconds delay);
    void arm_sweep();
    void forget(Instant when);
    void tell_counted(Instant when, bool at_end = false);
    void tell_dropped(std::uint64_t& untold, const char* cause, const char* text);

    // On the store's thread, but for the last flush().
    void flush();
    void write_some();
    void write(std::vector<ra::Event> rows);
    void written(std::size_t rows);
    void not_written(std::vector<ra::Event>& rows);
    void sweep();

    const Options options;
    const std::int64_t number = crypto::random_number<std::uint32_t>();
    std::atomic<bool> is_enabled{true};
    std::mutex mutex; ///< of all below
    std::weak_ptr<store::GroupCommit> commits;
    std::deque<ra::Event> waiting;
    ra::EventTime newest{};
    bool is_armed = false;   ///< a timer for flush() runs
    bool is_swept = false;   ///< one for sweep() does
    bool is_writing = false; ///< the store has rows
    bool is_finishing = false;
    std::unordered_map<std::string, Repeated> kinds;
    std::unordered_map<std::string, Bucket> addresses;
    Bucket all{kOfAll};
    Instant forgets_at{};
    std::deque<std::string> refused_requests;
    Counts counts;
    // Dropped since the last row about that.
    std::uint64_t untold_strangers = 0; ///< over a limit
    std::uint64_t untold_waiting = 0;   ///< without room in memory
    bool has_failed = false;            ///< the store, since then
};

/// EST tells of a refusal that the registration authority has told of.
bool EventKeeper::Impl::is_told_already(const ra::Event& event)
{
    if (event.request_id.empty() || event.outcome != "refused") return false;
    if (event.what == "request")
        return std::find(refused_requests.begin(), refused_requests.end(), event.request_id) !=
               refused_requests.end();
    refused_requests.push_back(event.request_id);
    if (refused_requests.size() > kRememberedRequests) refused_requests.pop_front();
    return false;
}

bool EventKeeper::Impl::is_allowed(const ra::Event& event, Instant when)
{
    if (!is_of_stranger(event)) return true;
    auto found = addresses.find(event.address);
    if (found == addresses.end()) {
        if (addresses.size() >= kMostAddresses) forget(when);
        if (addresses.size() >= kMostAddresses) return false;
        found = addresses.emplace(event.address, Bucket{kOfAddress}).first;
    }
    return found->second.take(when) && all.take(when);
}

/// The event becomes a row; those that say the same are counted for a time.
void EventKeeper::Impl::note(const std::string& kind, ra::Event& event, Instant when)
{
    if (const auto found = kinds.find(kind); found != kinds.end()) {
        auto& known = found->second;
        event.times += std::exchange(known.times, 0);
        known.window =
            when < known.until + known.window ? std::min(2 * known.window, kLongestWindow) : kFirstWindow;
        known.until = when + known.window;
        return;
    }
    if (kinds.size() >= kMostKinds) forget(when);
    if (kinds.size() < kMostKinds) kinds.emplace(kind, Repeated{when + kFirstWindow, kFirstWindow, 0, {}});
}

void EventKeeper::Impl::forget(Instant when)
{
    if (when < forgets_at) return;
    forgets_at = when + kBeforeRetry;
    std::erase_if(kinds, [when](const auto& entry) {
        return entry.second.times == 0 && entry.second.until + entry.second.window < when;
    });
    std::erase_if(addresses, [when](const auto& entry) { return entry.second.is_full(when); });
}

void EventKeeper::Impl::add(ra::Event event)
{
    if (waiting.size() >= kMostWaiting) return drop(untold_waiting, event.times);
    push(std::move(event));
}

void EventKeeper::Impl::push(ra::Event event)
{
    const auto time =
        std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now());
    event.at = newest = std::max(time, newest + std::chrono::microseconds{1});
    event.number = number;
    event.relay = options.relay;
    waiting.push_back(std::move(event));
    arm(options.delay);
}

void EventKeeper::Impl::drop(std::uint64_t& untold, std::uint64_t times)
{
    counts.dropped += times;
    untold += times;
    arm_sweep();
}

void EventKeeper::Impl::arm(std::chrono::milliseconds delay)
{
    const auto store = commits.lock();
    if (!store || is_finishing || std::exchange(is_armed, true)) return;
    store->worker().at(Clock::now() + delay, [self = weak_from_this()] {
        if (const auto still = self.lock()) still->flush();
    });
}

void EventKeeper::Impl::arm_sweep()
{
    const auto store = commits.lock();
    if (!store || std::exchange(is_swept, true)) return;
    store->worker().at(Clock::now() + kBetweenSweeps, [self = weak_from_this()] {
        if (const auto still = self.lock()) still->sweep();
    });
}

void EventKeeper::Impl::take(ra::Event event)
{
    const auto kind = may_repeat(event) ? kind_of(event) : std::string{};
    const auto when = now();
    const std::lock_guard lock{mutex};
    if (is_told_already(event)) return;
    if (const auto found = kinds.find(kind); found != kinds.end() && when < found->second.until) {
        found->second.times += event.times;
        counts.repeated += event.times;
        found->second.last = std::move(event);
        return arm_sweep();
    }
    if (!is_allowed(event, when)) return drop(untold_strangers, event.times);
    if (!kind.empty()) note(kind, event, when);
    add(std::move(event));
}

void EventKeeper::Impl::flush()
{
    {
        const std::lock_guard lock{mutex};
        is_armed = false;
    }
    write_some();
}

void EventKeeper::Impl::write_some()
{
    std::vector<ra::Event> rows;
    {
        const std::lock_guard lock{mutex};
        if (waiting.empty() || (is_writing && !is_finishing)) return;
        const auto most = is_finishing ? waiting.size() : std::min(waiting.size(), kMostAtOnce);
        const auto end = waiting.begin() + static_cast<std::ptrdiff_t>(most);
        rows.assign(std::make_move_iterator(waiting.begin()), std::make_move_iterator(end));
        waiting.erase(waiting.begin(), end);
        is_writing = true;
    }
    write(std::move(rows));
}

void EventKeeper::Impl::write(std::vector<ra::Event> rows)
{
    const auto store = commits.lock();
    if (!store) return;
    const auto shared = std::make_shared<std::vector<ra::Event>>(std::move(rows));
    const bool taken =
        store->post({[self = shared_from_this(), shared](store::Database& database,
                                                         store::GroupCommit::After& after) -> Result<void> {
                         ra::EventRecords records{database};
                         for (const auto& row : *shared)
                             ACMETOOL_CHECK(records.put(row));
                         after.push_back([self, size = shared->size()] { self->written(size); });
                         return {};
                     },
                     [self = shared_from_this(), shared](const Error&) { self->not_written(*shared); }});
    if (!taken) not_written(*shared);
}

/// A pause would limit how many are written in a second; it is for few that wait.
void EventKeeper::Impl::written(std::size_t rows)
{
    {
        const std::lock_guard lock{mutex};
        counts.kept += rows;
        is_writing = false;
        if (waiting.size() < kMostAtOnce) {
            if (!waiting.empty()) arm(options.delay);
            return;
        }
    }
    write_some();
}

/// They wait again. What does not fit is lost, the oldest first.
void EventKeeper::Impl::not_written(std::vector<ra::Event>& rows)
{
    const std::lock_guard lock{mutex};
    is_writing = false;
    has_failed = true;
    const auto room = kMostWaiting - std::min(kMostWaiting, waiting.size());
    const auto lost = static_cast<std::ptrdiff_t>(rows.size() - std::min(room, rows.size()));
    if (lost > 0) drop(untold_waiting, static_cast<std::uint64_t>(lost));
    waiting.insert(waiting.begin(), std::make_move_iterator(rows.begin() + lost),
                   std::make_move_iterator(rows.end()));
    arm(kBeforeRetry);
}

/// Rows for what was only counted; those of kinds whose time has not come stay.
void EventKeeper::Impl::tell_counted(Instant when, bool at_end)
{
    for (auto& [kind, known] : kinds) {
        if (known.times == 0 || (when < known.until && !at_end)) continue;
        auto event = std::exchange(known.last, {});
        event.times = std::exchange(known.times, 0);
        known.window = std::min(2 * known.window, kLongestWindow);
        known.until = when + known.window;
        add(std::move(event));
    }
    if (waiting.size() >= kMostWaiting && !at_end) return;
    tell_dropped(untold_strangers, "strangers", "too many of peers that are not known: these were not kept");
    if (untold_waiting == 0) return;
    const bool was_away = std::exchange(has_failed, false);
    tell_dropped(untold_waiting, was_away ? "storeAway" : "storeSlow",
                 was_away
                     ? "the store was away, and not all that waited fits into memory: these were not kept"
                     : "more came than the store could write: these were not kept");
}

/// Of a full memory, this may be a row too many.
void EventKeeper::Impl::tell_dropped(std::uint64_t& untold, const char* cause, const char* text)
{
    if (untold == 0) return;
    ra::Event event;
    event.level = Level::warning;
    event.what = "events";
    event.outcome = "dropped";
    event.cause = cause;
    event.text = text;
    event.details = "{}";
    event.times = std::exchange(untold, 0);
    push(std::move(event));
}

void EventKeeper::Impl::sweep()
{
    const std::lock_guard lock{mutex};
    const auto when = now();
    tell_counted(when);
    forget(when);
    is_swept = false;
    if (untold_strangers > 0 || untold_waiting > 0 ||
        std::any_of(kinds.begin(), kinds.end(), [](const auto& entry) { return entry.second.times > 0; }))
        arm_sweep();
}

EventKeeper::EventKeeper(Options options) : impl_(std::make_shared<Impl>(std::move(options))) {}
EventKeeper::~EventKeeper() = default;

void EventKeeper::take(const base::Json& event)
{
    if (!impl_->is_enabled) return;
    auto row = to_row(event);
    // Of these the log is the record, as RADIUS requires.
    if (row.what != "accounting") impl_->take(std::move(row));
}

void EventKeeper::enable(bool is_enabled)
{
    impl_->is_enabled = is_enabled;
}

void EventKeeper::begin(const std::shared_ptr<store::GroupCommit>& commits)
{
    const std::lock_guard lock{impl_->mutex};
    impl_->commits = commits;
    impl_->arm({});
}

void EventKeeper::finish()
{
    impl_->is_enabled = false;
    {
        const std::lock_guard lock{impl_->mutex};
        impl_->tell_counted(impl_->now(), true);
        impl_->is_finishing = true;
    }
    impl_->flush();
}

EventKeeper::Counts EventKeeper::counts() const
{
    const std::lock_guard lock{impl_->mutex};
    return impl_->counts;
}

} // namespace acmetool::relay
