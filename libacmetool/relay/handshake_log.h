#pragma once

#include <mutex>
#include <string>
#include <utility>

#include "base/once_per_minute.h"
#include "enrol/events.h"
#include "http/handshake_failure.h"

namespace acmetool::relay
{

/// Tells of TLS handshakes that failed, once a minute for a cause and an address. From any thread.
class HandshakeLog
{
public:
    explicit HandshakeLog(enrol::EventSink& events) : events_(events) {}

    void take(const http::HandshakeFailure& failure);

private:
    enrol::EventSink& events_;
    std::mutex mutex_;
    base::OncePerMinute<std::pair<http::HandshakeCause, std::string>> told_;
};

} // namespace acmetool::relay
