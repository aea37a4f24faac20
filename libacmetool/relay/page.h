#pragma once

#include <functional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/time.h"
#include "http/server.h"
#include "ra/event_records.h"
#include "relay/config.h"
#include "relay/device_report.h"
#include "relay/page_frame.h"
#include "relay/recent.h"

/// The pages of a relay for a person with a browser: HTML without scripts.
namespace acmetool::relay
{

/// A certificate that the relay uses.
struct OwnCertificate {
    std::string use;  ///< "tls", "administration", "manufacturer", "ca"
    std::string what; ///< "TLS certificate CN=ra"
    std::string subject;
    base::TimePoint not_before;
    base::TimePoint not_after;
};

/// What the first page shows beside the store.
struct Health {
    base::Json status; ///< the document of /status
    std::vector<OwnCertificate> own;
};

/// What the pages show of a running relay.
struct PageSource {
    const Config& config; ///< names the store, which is read for each page
    std::string program;
    std::string host;
    const Recent& recent;
    std::function<Health()> health; ///< reads the store as well
    base::TimePoint now;
};

/// True for the target of a page, of its style sheet or of a drawing.
bool is_page(const std::string& target);
/// Reads the store: not for a thread that others wait for.
http::ServerResponse page_for(const PageSource& source, const std::string& target);

// The pages.
http::ServerResponse overview_page(const PageSource& source, const PageFrame& frame);
http::ServerResponse devices_page(const PageSource& source, const PageFrame& frame,
                                  const std::string& target);
http::ServerResponse device_page(const PageSource& source, const PageFrame& frame, const std::string& id);
/// What is known of one request: its ladder, and why it was refused.
http::ServerResponse request_page(const PageSource& source, const PageFrame& frame, const std::string& id);
/// The ladder of a request, as SVG. 404 if nothing is remembered of it.
http::ServerResponse ladder_image(const PageSource& source, const std::string& id);

/// What happened to a device, or in a request; nothing if the store keeps no events.
Result<std::vector<ra::Event>> events_of(const PageSource& source, const ra::EventFilter& filter);
void write_events(Html& html, const PageSource& source, const Result<std::vector<ra::Event>>& events);
/// The ladder in a page, with the same as text; a sentence if nothing is remembered.
void write_ladder(Html& html, const Recent& recent, const std::string& request_id);

} // namespace acmetool::relay
