#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/context.h"
#include "base/json.h"
#include "base/output_queue.h"
#include "cli/log_form.h"
#include "cli/program.h"
#include "enrol/events.h"
#include "est/server.h"
#include "relay/event_delivery.h"
#include "relay/event_keeper.h"
#include "relay/recent.h"

namespace acmetool::relay
{

/// What happened, on standard error: one line an event, as text or as one JSON document. The journal gets it
/// with the members of the event as fields, or else as a line that begins with the syslog priority
/// (sd-daemon(3)). Nobody waits for whoever reads it. The store keeps
/// events as well, whatever level the log has.
class ACMETOOL_EXPORT EventLog final : public enrol::EventSink
{
public:
    /// `io` is not owned, and serves from now on (Io::begin_serving()).
    EventLog(std::string program, cli::Io& io);

    void event(const base::Json& event) override;
    bool keeps(base::Level level) const override { return level <= level_; }
    bool traces() const override { return true; } ///< the page draws them
    void message(const base::Message& message) override;
    void arrival(const est::RequestEvent& event);
    void request(const est::RequestEvent& event);
    void log(base::Level level, const std::string& text);
    /// Who keeps events from now on; null: nobody. Not while other threads tell events.
    void keep_by(std::shared_ptr<EventKeeper> keeper) { keeper_ = std::move(keeper); }

    const Recent& recent() const { return recent_; }
    /// Who is told of events from now on; null: nobody.
    void deliver_by(std::shared_ptr<EventDelivery> delivery);
    std::shared_ptr<EventDelivery> delivery() const;
    const std::string& program() const { return program_; }
    /// How log and trace do.
    std::vector<base::OutputHealth> outputs() const { return io_.outputs(); }

private:
    void write(base::Level level, base::Json event);
    void keep(const base::Json& event);

    std::string program_;
    cli::Io& io_;
    bool json_;
    bool journal_;
    std::unique_ptr<cli::Journal> fields_; ///< null: lines only
    bool traces_;
    base::Level level_;
    std::shared_ptr<EventKeeper> keeper_;
    std::mutex mutex_;                  ///< of the trace
    mutable std::mutex delivery_mutex_; ///< of delivery_, which is not replaced while it is told of an event
    std::shared_ptr<EventDelivery> delivery_;
    Recent recent_;
};

} // namespace acmetool::relay
