#include <unistd.h>

#include "relay/event_delivery.h"
#include "relay/findings.h"
#include "store/configured.h"

namespace acmetool::relay
{

void check_events(Findings& findings, const Config& config)
{
    const auto& events = config.events;
    const std::string subject = "events";
    if (!events.hook.empty()) {
        const auto& program = events.hook.front();
        if (program.find('/') != std::string::npos && ::access(program.c_str(), X_OK) != 0)
            findings.push_back({Verdict::fail, subject, fmt::format("{} cannot be run", program),
                                "hook must be a program followed by its arguments"});
        else
            ok(findings, subject, fmt::format("{} is run for events", program));
    }
    if (events.webhook.empty()) return;
    if (!events.webhook_ca.empty())
        if (const auto anchors = store::read_configured_certificates(events.webhook_ca); !anchors)
            bad(findings, subject, anchors.error());
    if (events.webhook_key_file.empty())
        warn(findings, subject, fmt::format("{} cannot know that the relay sends the events", events.webhook),
             "set webhook_key_file, and have the receiver compare the signature");
    else if (const auto key = read_webhook_key(events.webhook_key_file); !key)
        bad(findings, subject, key.error());
    else
        ok(findings, subject, "the key of the webhook can be read");
}

} // namespace acmetool::relay
