#include "relay/event_section.h"

#include <algorithm>

#include "http/url.h"

namespace acmetool::relay
{
namespace
{

const std::vector<std::string>& kinds()
{
    static const std::vector<std::string> kKinds{"authorization", "brski",     "cacerts", "crl",
                                                 "decision",      "handshake", "issuer",  "order",
                                                 "radius",        "store",     "teap"};
    return kKinds;
}

} // namespace

void read_events(Section section, Config& config)
{
    auto& events = config.events;
    section.list("hook", events.hook,
                 "program and arguments, which is run for each chosen event and reads it as JSON");
    section.text("webhook", events.webhook, "https URL to which each chosen event is sent by POST, as JSON");
    section.file("webhook_key_file", events.webhook_key_file,
                 "file with the key that signs what is sent to webhook (Standard Webhooks, HMAC-SHA256)");
    section.file("webhook_ca", events.webhook_ca, "trust anchors (PEM) for webhook; default: the system's");
    section.list("on", events.on, "types of the chosen events (" + base::join(kinds(), ", ") + ")");
    section.choice("level", events.level, {"error", "warning", "info"},
                   "least severe level of the chosen events");
    if (!events.webhook.empty())
        if (const auto url = http::parse_url(events.webhook); !url)
            section.refuse("webhook", url.error().message);
    for (const auto* key : {"webhook_key_file", "webhook_ca"})
        if (events.webhook.empty()) section.refuse(key, "requires webhook");
    for (const auto* key : {"on", "level"})
        if (events.webhook.empty() && events.hook.empty()) section.refuse(key, "requires hook or webhook");
    for (const auto& kind : events.on)
        if (std::find(kinds().begin(), kinds().end(), kind) == kinds().end())
            section.refuse("on", fmt::format("\"{}\" is none of {}", base::printable(kind, 60),
                                             base::join(kinds(), ", ")));
    section.finish();
}

} // namespace acmetool::relay
