#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "base/context.h"
#include "base/json.h"
#include "est/server.h"
#include "ra/events.h"

namespace acmetool::relay
{

/// What happened, on standard error: one line an event, as text or as one JSON document. For the journal each
/// line begins with the syslog priority (sd-daemon(3)).
class ACMETOOL_EXPORT EventLog final : public ra::EventSink
{
public:
    EventLog(std::string program, bool json, base::Level level);

    void event(const base::Json& event) override;
    /// False where events of this level are left out.
    bool keeps(base::Level level) const { return level <= level_; }
    bool traces() const override { return trace_ != nullptr; }
    void message(const base::Message& message) override;
    /// Before anything is served: `trace` takes the messages from now on, one at a time.
    void trace_to(std::function<void(const base::Message&)> trace) { trace_ = std::move(trace); }
    void arrival(const est::RequestEvent& event);
    void request(const est::RequestEvent& event);
    void log(base::Level level, const std::string& text);

    /// Requests by operation and status.
    std::map<std::pair<std::string, int>, std::uint64_t> requests() const;

private:
    void write(base::Level level, base::Json event);

    std::string program_;
    bool json_;
    bool journal_;
    base::Level level_;
    std::function<void(const base::Message&)> trace_;
    mutable std::mutex mutex_;
    std::map<std::pair<std::string, int>, std::uint64_t> requests_;
};

} // namespace acmetool::relay
