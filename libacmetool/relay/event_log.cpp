#include "relay/event_log.h"

#include <algorithm>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "base/time.h"
#include "cli/log_form.h"

namespace acmetool::relay
{
namespace
{

using base::Json;
using base::Level;

std::string_view name_of(Level level)
{
    return level == Level::error ? "error" : level == Level::warning ? "warning" : "info";
}

Level level_of(const Json& event)
{
    const auto word = event.value("level", std::string{"info"});
    return word == "error" ? Level::error : word == "warning" ? Level::warning : Level::info;
}

/// "decision device=X status=200", members in alphabetical order.
std::string text_of(const Json& event)
{
    std::string line = event.value("event", std::string{"event"});
    for (const auto& [name, value] : event.items()) {
        if (name == "event" || name == "level") continue;
        const auto words = value.is_string() ? value.get<std::string>() : base::to_text(value);
        const bool quoted = words.empty() || words.find(' ') != std::string::npos;
        auto shown = base::printable(words);
        std::replace(shown.begin(), shown.end(), '\n', ' '); // one line an event, whatever a peer wrote
        line += quoted ? fmt::format(" {}=\"{}\"", name, shown) : fmt::format(" {}={}", name, shown);
    }
    return line;
}

/// A device's request as it came, or the answer to it.
base::Message to_message(const est::RequestEvent& request, std::string from, std::string to)
{
    base::Message message;
    message.from = std::move(from);
    message.to = std::move(to);
    message.request_id = request.request_id;
    message.device = base::printable(request.client);
    if (request.status != 0) {
        message.label = std::to_string(request.status);
        if (!request.decision.empty() && request.decision != "pending")
            message.label += " " + request.decision;
        if (request.retry_after)
            message.label += fmt::format(" Retry-After={}", request.retry_after->count());
        message.detail = base::printable(request.text, 200);
        message.status = request.status;
        message.took = std::chrono::duration_cast<base::Milliseconds>(request.took);
        return message;
    }
    message.method = request.operation.ends_with("enroll") ? "POST" : "GET";
    message.url = fmt::format("/.well-known/est{}{}/{}", request.label.empty() ? "" : "/", request.label,
                              request.operation);
    message.label = fmt::format("{} /{}", message.method, request.operation);
    message.detail = base::join(request.identifiers, ", ");
    return message;
}

} // namespace

EventLog::EventLog(std::string program, cli::Io& io)
    : program_(std::move(program)), io_(io), json_(io.json_log()), journal_(cli::writes_to_journal()),
      fields_(cli::has_journal_socket() ? std::make_unique<cli::Journal>(program_) : nullptr),
      traces_(io.traces()), level_(io.log_level())
{
    io.begin_serving();
}

void EventLog::write(Level level, Json event)
{
    if (!keeps(level)) return;
    std::string line;
    if (journal_) line = cli::journal_priority(level);
    if (!json_ && !journal_) line = cli::time_prefix();
    if (json_) {
        event["ts"] = base::to_rfc3339(base::now());
        event["level"] = name_of(level);
        const auto text = base::to_text(event);
        if (fields_ && fields_->send(level, text, event)) return;
        line += text;
    } else {
        const auto text = event.contains("msg") ? event["msg"].get<std::string>() : text_of(event);
        if (fields_ && fields_->send(level, cli::safe_lines(text), event)) return;
        line += level <= Level::warning ? fmt::format("{}: {}: {}", program_, name_of(level), text)
                                        : fmt::format("{}: {}", program_, text);
    }
    line += '\n';
    io_.say(line);
}

void EventLog::deliver_by(std::shared_ptr<EventDelivery> delivery)
{
    const auto fresh = delivery;
    {
        const std::lock_guard lock{delivery_mutex_};
        delivery_.swap(delivery);
    }
    // Nobody tells the former one of anything more.
    if (fresh && delivery) fresh->continue_for(*delivery);
}

std::shared_ptr<EventDelivery> EventLog::delivery() const
{
    const std::lock_guard lock{delivery_mutex_};
    return delivery_;
}

void EventLog::message(const base::Message& message)
{
    recent_.message(message, base::now());
    if (!traces_) return;
    const std::lock_guard lock{mutex_};
    io_.context().message(message);
}

void EventLog::keep(const Json& event)
{
    if (keeper_) keeper_->take(event);
}

void EventLog::event(const Json& event)
{
    recent_.event(event, base::now());
    {
        const std::lock_guard lock{delivery_mutex_};
        if (delivery_) delivery_->event(event);
    }
    write(level_of(event), event);
    keep(event);
}

void EventLog::log(Level level, const std::string& text)
{
    write(level, Json{{"event", program_}, {"msg", text}});
    if (level <= Level::info) keep({{"event", "relay"}, {"level", name_of(level)}, {"text", text}});
}

void EventLog::arrival(const est::RequestEvent& request)
{
    if (!request.operation.empty()) message(to_message(request, "client", "ra"));
}

void EventLog::request(const est::RequestEvent& request)
{
    if (!request.operation.empty()) message(to_message(request, "ra", "client"));
    recent_.request(request);
    const bool enrols = request.operation.ends_with("enroll");
    const auto level = request.status >= 500             ? Level::warning
                       : enrols || request.status >= 400 ? Level::info
                                                         : Level::detail;
    // A request that was answered well is told of by the decision.
    const bool is_refused = request.status >= 400;
    if (!keeps(level) && !is_refused) return;
    Json event{{"event", "request"},
               {"level", name_of(level)},
               {"request_id", request.request_id},
               {"address", request.address},
               {"status", request.status},
               {"ms", static_cast<double>(request.took.count()) / 1000.0}};
    const auto add = [&event](const char* name, const std::string& value) {
        if (!value.empty()) event[name] = base::printable(value);
    };
    add("operation", request.operation);
    add("label", request.label);
    add("client", request.client);
    add("csrSha256", request.csr_sha256);
    add("decision", request.decision);
    add("serial", request.serial);
    add("text", request.text);
    if (!request.identifiers.empty()) event["identifiers"] = request.identifiers;
    if (is_refused) keep(event);
    write(level, std::move(event));
}

} // namespace acmetool::relay
