#pragma once

#include <chrono>

#include "base/context.h"
#include "enrol/events.h"
#include "ra/engine.h"
#include "relay/config.h"

namespace acmetool::relay
{

/// If no intermediate of the CA is known, looks for it in the chain in [tls], then at the URLs in that
/// certificate and in the last one issued, as long as they lead to a root in [cacerts] (RFC 7030 section
/// 4.1.3: /cacerts contains what leads from a device's certificate to the root). The URLs get about ten
/// seconds. Last, a certificate is ordered if [cacerts] order has a name, and `wait` for it at most passes.
/// What is learnt and what fails is an event.
void learn_intermediates(const Config& config, ra::Engine& engine, enrol::EventSink& events,
                         std::chrono::seconds wait, base::Context& context);

} // namespace acmetool::relay
