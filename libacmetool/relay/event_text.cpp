#include "relay/event_text.h"

#include <algorithm>
#include <array>
#include <string_view>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "relay/screen.h"

namespace acmetool::relay
{
namespace
{

using base::Json;
using base::Level;

/// What is done about a cause. Empty members fit all; the first row that fits counts. {0} is the program, {1}
/// who it is about, {2} the address.
struct Advice {
    std::string_view what;
    std::string_view cause;
    std::string_view words; ///< in the text
    std::string_view advice;
};

constexpr Advice kAdvice[] = {
    {"decision", "", "remembered since",
     "`{0} explain {1}` shows the order; `{0} retry {1}` has it tried at once"},
    {"decision", "", "is blocked", "`{0} unblock {1}` ends the block"},
    {"decision", "", "not in the inventory",
     "if the device may enrol, add {1} to the inventory and reload the relay"},
    {"decision", "", "of another manufacturer",
     "write the manufacturer of {1} into the inventory, as SERIAL@MANUFACTURER, and reload the relay"},
    {"decision", "", "was revoked",
     "the device needs a new key, and enrols by its manufacturer's certificate"},
    {"decision", "", "this clock is at",
     "compare the clock of this host with the dates of the certificate; grace in [clients.issued] lets "
     "devices "
     "renew late"},
    {"decision", "", "neither by a known manufacturer",
     "if its manufacturer is to be trusted, add its CA to trust in [clients.idevid]; else the device shows "
     "the wrong certificate"},
    {"decision", "", "an identity is required",
     "the device showed no certificate: see whether a proxy before the relay ends its TLS"},
    {"decision", "", "wrong user name or password", "compare the device's password with the file of users"},
    {"decision", "", "store is not available", "see the database: `{0} store status`, its server, the disk"},
    {"decision", "tooMany", "", "`{0} forecast` shows the limits; [limits] sets them"},
    {"decision", "badIdentity", "", "the device asks for a name that is not its own: see san of its label"},
    {"decision", "popFailed", "",
     "see whether a proxy before the relay ends the device's TLS; pop in [est] says what is required"},
    {"decision", "badRequest", "", "the request has to change, or allow of its label has to"},
    {"decision", "unsupportedAlgorithm", "", "the device needs another key: see key_type of its label"},
    {"decision", "unsupportedExtension", "", "the request has to change, or allow of its label has to"},
    {"decision", "notFound", "", "the URL of the device names a label that the configuration does not have"},
    {"decision", "internalCAError", "", "`{0} explain {1}` shows the order"},
    {"decision", "unavailable", "", "`{0} status` says what is away; the device asks again"},
    {"request", "401", "",
     "the device showed no certificate and no password: see whether a proxy before the relay ends its TLS"},
    {"request", "404", "", "the device asks for a URL that is not here"},
    {"radius", "unknown_client", "", "if {2} is a switch of yours, add a [[client]] with this address"},
    {"radius", "message_authenticator", "",
     "compare the secret of the [[client]] with this address with that of the switch {2}"},
    {"radius", "request_authenticator", "",
     "compare the secret of the [[client]] with this address with that of the switch {2}"},
    {"radius", "malformed", "", "see what {2} sends: it is not RADIUS"},
    {"order", "caa", "", "a CAA record forbids it: `acme-preauth caa-record` shows what is published"},
    {"order", "rateLimited", "", "the CA limits orders: `{0} forecast` shows how many there are"},
    {"order", "badCSR", "", "the CA does not take the request: compare it with the profile of the label"},
    {"order", "unauthorized", "", "`{0} check --online` tries whether the domain can be authorized"},
    {"order", "rejectedIdentifier", "", "the CA does not certify this name"},
    {"order", "dns", "", "see the name servers of the domain: `{0} check --online`"},
    {"authorization", "", "", "`{0} check --online` tries the name servers and the update key"},
    {"store", "", "", "see the database: `{0} store status`, its server, the disk"},
    {"brski", "refused", "", "`{0} explain {1}` shows the voucher-request"},
    {"events", "dropped", "", "the log has them"},
};

Json members_of(const ra::Event& event)
{
    auto details = base::parse_json_object(event.details.empty() ? "{}" : event.details, "event");
    return details ? std::move(*details) : Json::object();
}

std::string_view word_of(Level level)
{
    return level == Level::error ? "error" : level == Level::warning ? "warning" : "info";
}

std::string shown_who(const ra::Event& event)
{
    if (!event.who.empty()) return base::printable(event.who, 100);
    return event.station.empty() ? "-" : event.station;
}

} // namespace

bool is_bad(const ra::Event& event)
{
    return event.level <= Level::warning || event.outcome == "refused" || event.outcome == "reject";
}

std::string advice_for(const ra::Event& event, const std::string& program)
{
    if (!event.hint.empty()) return event.hint;
    if (!is_bad(event)) return {};
    const auto fits = [&event](const Advice& row) {
        return row.what == event.what &&
               (row.cause.empty() || row.cause == event.cause || row.cause == event.outcome) &&
               event.text.find(row.words) != std::string::npos;
    };
    const auto* const found = std::find_if(std::begin(kAdvice), std::end(kAdvice), fits);
    if (found == std::end(kAdvice)) return {};
    return fmt::format(fmt::runtime(found->advice), program, shown_who(event), event.address);
}

std::string heading_of(const ra::Event& event)
{
    auto text = event.what;
    if (!event.outcome.empty()) text += " " + event.outcome;
    if (!event.cause.empty() && event.cause != event.outcome) text += ": " + event.cause;
    if (event.times > 1) text += fmt::format(" ({} times)", event.times);
    return text;
}

std::string sentence_of(const ra::Event& event)
{
    const auto details = members_of(event);
    const auto problem = details.find("problem");
    if (problem == details.end()) return event.text;
    const auto words = base::string_member(*problem, "detail").value_or("");
    if (words.empty() || event.text.find(words) != std::string::npos) return event.text;
    return fmt::format("{}{}the CA says: {}", event.text, event.text.empty() ? "" : "; ", words);
}

Json to_json(const ra::Event& event, const std::string& program)
{
    Json document{{"time", ra::to_rfc3339(event.at)},
                  {"id", fmt::format("{}-{}", event.at.time_since_epoch().count(), event.number)},
                  {"level", word_of(event.level)},
                  {"event", event.what},
                  {"times", event.times},
                  {"details", members_of(event)}};
    const auto add = [&document](const char* name, const std::string& value) {
        if (!value.empty()) document[name] = base::printable(value, 1000);
    };
    add("outcome", event.outcome);
    add("cause", event.cause);
    add("text", event.text);
    add("next", advice_for(event, program));
    add("protocol", event.protocol);
    add("device", event.device);
    // What nobody has verified has another name.
    add(event.device.empty() ? "claims" : "serial", event.who);
    add("requestId", event.request_id);
    add("address", event.address);
    add("station", event.station);
    add("relay", event.relay);
    return document;
}

std::string event_header()
{
    return fmt::format("{:<20}  {:<16}  EVENT\n", "TIME", "DEVICE");
}

std::string to_text(const ra::Event& event, const std::string& program)
{
    constexpr std::size_t kWidth = 76;
    const auto whole = std::chrono::floor<std::chrono::seconds>(event.at);
    auto text = fmt::format("{}  {:<16}  {}\n", base::to_rfc3339(whole), shown_who(event), heading_of(event));
    const auto add = [&text](const std::string& sentence) {
        for (const auto& part : folded(base::printable(sentence, 1500), kWidth))
            text += "    " + part + "\n";
    };
    add(sentence_of(event));
    const auto details = members_of(event);
    std::vector<std::string> facts;
    const auto fact = [&facts](std::string_view name, const std::string& value) {
        if (!value.empty()) facts.push_back(fmt::format("{} {}", name, value));
    };
    fact("from", event.address);
    if (event.device.empty()) fact("shows", base::string_member(details, "client").value_or(""));
    fact("nas", base::string_member(details, "nas").value_or(""));
    fact("order", base::string_member(details, "order").value_or(""));
    fact("request", event.request_id);
    fact("relay", event.relay);
    add(base::join(facts, ", "));
    if (const auto advice = advice_for(event, program); !advice.empty()) add("next: " + advice);
    return text;
}

} // namespace acmetool::relay
