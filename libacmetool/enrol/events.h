#pragma once

#include "base/context.h"
#include "base/json.h"

namespace acmetool::enrol
{

/// Receives the events of the registration authority: a log, a test.
///
/// Each event is one JSON object with "event" ("decision", "order", "authorization", "cacerts", "store") and
/// "level" ("info", "warning", "error"). A decision contains request_id, device, csrSha256, identifiers,
/// decision and, if present, order (its URL), problem (RFC 9457, as received) and text (ESTS-22). No secrets.
class EventSink
{
public:
    virtual ~EventSink() = default;
    /// Called by several threads at once; must not block.
    virtual void event(const base::Json& event) = 0;
    /// False if events of this level are omitted.
    virtual bool keeps(base::Level /*level*/) const { return true; }
    /// True if messages are wanted; otherwise none are created.
    virtual bool traces() const { return false; }
    /// A message to or from "ra", the registration authority. Called by several threads at once.
    virtual void message(const base::Message& /*message*/) {}
};

} // namespace acmetool::enrol
