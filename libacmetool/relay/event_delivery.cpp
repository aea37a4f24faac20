#include "relay/event_delivery.h"

#include <algorithm>
#include <array>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "base/base64url.h"
#include "base/process.h"
#include "base/text.h"
#include "crypto/digest.h"
#include "http/client.h"
#include "store/configured.h"

namespace acmetool::relay
{
namespace
{

using Clock = base::Worker::Clock;

constexpr base::Milliseconds kHookTimeout{60'000};
constexpr base::Milliseconds kWebhookTimeout{20'000};
constexpr std::size_t kLongestOutput = 1U << 16U;
constexpr std::array<std::string_view, 3> kLevels{"error", "warning", "info"};

std::size_t place_of(std::string_view level)
{
    return static_cast<std::size_t>(std::find(kLevels.begin(), kLevels.end(), level) - kLevels.begin());
}

Result<void> run_hook(const std::vector<std::string>& program, const EventMessage& message,
                      base::Context& context)
{
    base::Command command;
    command.arguments = program;
    command.environment = {"ACMETOOL_EVENT_ID=" + message.id};
    command.timeout = kHookTimeout;
    command.name = "hook " + program.front();
    ACMETOOL_TRY(ended, base::run_filter(command, message.body + "\n", kLongestOutput, context));
    if (ended.status == 0) return {};
    return fail(Errc::unavailable, fmt::format("it ended with status {}", ended.status), ended.last_line,
                "hookFailed");
}

Result<void> post(http::Client& client, const EventOptions& options, const base::Secret& key,
                  const EventMessage& message, base::Context& context)
{
    http::Request request;
    request.method = http::Method::post;
    request.url = options.webhook;
    request.headers = {{"Content-Type", "application/json"}};
    request.body = message.body;
    if (!key.empty()) {
        ACMETOOL_TRY(headers, webhook_headers(message, key, context.now()));
        request.headers.insert(request.headers.end(), headers.begin(), headers.end());
    }
    ACMETOOL_TRY(reply, client.send(request));
    if (reply.status / 100 == 2) return {};
    return fail(Errc::unavailable, fmt::format("status {}", reply.status), {}, "webhookRefused");
}

} // namespace

Result<std::vector<std::pair<std::string, std::string>>>
webhook_headers(const EventMessage& message, const base::Secret& key, base::TimePoint now)
{
    constexpr std::string_view kEncoded = "whsec_";
    const auto text = key.reveal();
    Bytes octets{as_bytes(text).begin(), as_bytes(text).end()};
    if (text.starts_with(kEncoded)) {
        auto decoded = base::parse_base64(text.substr(kEncoded.size()));
        if (!decoded)
            return fail(Errc::config, "webhook_key_file: no base64 follows whsec_", {}, "badWebhookKey");
        octets = std::move(*decoded);
    }
    const auto at = std::to_string(now.time_since_epoch().count());
    const auto is_signed = fmt::format("{}.{}.{}", message.id, at, message.body);
    ACMETOOL_TRY(mac, crypto::hmac(crypto::Hash::sha256, octets, as_bytes(is_signed)));
    return std::vector<std::pair<std::string, std::string>>{
        {"webhook-id", message.id},
        {"webhook-timestamp", at},
        {"webhook-signature", "v1," + base::to_base64(mac)}};
}

Result<base::Secret> read_webhook_key(const std::string& file)
{
    ACMETOOL_TRY(text, store::read_configured_secret(file, "[events] webhook_key_file"));
    base::Secret key{std::string{base::trim(text.reveal())}};
    ACMETOOL_CHECK(webhook_headers({}, key, {}));
    return key;
}

bool is_chosen(const base::Json& event, const EventOptions& options)
{
    const auto kind = base::string_member(event, "event").value_or("");
    const auto level = base::string_member(event, "level").value_or("info");
    return std::find(options.on.begin(), options.on.end(), kind) != options.on.end() &&
           place_of(level) <= place_of(options.level);
}

EventReceiver::EventReceiver(const std::string& name, Attempt attempt, Complaint complaint, Pace pace)
    : name_(name), attempt_(std::move(attempt)), complaint_(std::move(complaint)), pace_(pace),
      pause_(pace.first_pause), worker_(name)
{
}

EventReceiver::~EventReceiver()
{
    stop();
}

std::vector<EventMessage> EventReceiver::stop()
{
    stopping_.request();
    worker_.stop();
    std::vector<EventMessage> left;
    const std::lock_guard lock{mutex_};
    left.reserve(waiting_.size());
    for (auto& one : waiting_)
        left.push_back(std::move(one.message));
    waiting_.clear();
    return left;
}

void EventReceiver::offer(EventMessage message)
{
    const std::lock_guard lock{mutex_};
    if (waiting_.size() >= pace_.queue) {
        ++counts_.dropped;
        return;
    }
    waiting_.push_back({std::move(message), Clock::now()});
    if (std::exchange(is_working_, true)) return;
    worker_.post([this] { work(); });
}

EventReceiver::Counts EventReceiver::counts() const
{
    const std::lock_guard lock{mutex_};
    return counts_;
}

/// One event, on the worker's thread. The first in the queue stays there until it is delivered.
void EventReceiver::work()
{
    if (stopping_.requested()) return;
    Waiting first;
    {
        const std::lock_guard lock{mutex_};
        first = waiting_.front();
    }
    ra::StoppableContext context{stopping_};
    const auto done = attempt_(first.message, context);
    if (stopping_.requested()) return;
    auto pause = base::Milliseconds{0};
    const std::lock_guard lock{mutex_};
    if (done) {
        ++counts_.delivered;
        pause_ = pace_.first_pause;
        waiting_.pop_front();
    } else {
        ++counts_.failed;
        if (Clock::now() - first.since >= pace_.patience)
            drop_first(done.error().message);
        else if (pause_ == pace_.first_pause)
            complaint_(fmt::format("{}: {}; it is tried again", name_, done.error().message));
        pause = pause_;
        pause_ = std::min(2 * pause_, pace_.longest_pause);
    }
    is_working_ = !waiting_.empty();
    if (is_working_) worker_.at(Clock::now() + pause, [this] { work(); });
}

void EventReceiver::drop_first(const std::string& why)
{
    ++counts_.dropped;
    waiting_.pop_front();
    complaint_(fmt::format("{}: an event was not delivered: {}", name_, why));
}

Result<std::unique_ptr<EventDelivery>> EventDelivery::start(const EventOptions& options,
                                                            const EventReceiver::Complaint& complaint)
{
    std::unique_ptr<EventDelivery> delivery{new EventDelivery(options)};
    const auto& chosen = delivery->options_;
    if (!chosen.hook.empty())
        delivery->receivers_["hook"] = std::make_unique<EventReceiver>(
            "event-hook",
            [&chosen](const EventMessage& message, base::Context& context) {
                return run_hook(chosen.hook, message, context);
            },
            complaint);
    if (chosen.webhook.empty()) return delivery;
    auto key = std::make_shared<base::Secret>();
    if (!chosen.webhook_key_file.empty()) {
        ACMETOOL_TRY(given, read_webhook_key(chosen.webhook_key_file));
        *key = std::move(given);
    }
    delivery->receivers_["webhook"] = std::make_unique<EventReceiver>(
        "event-webhook",
        [&chosen, key](const EventMessage& message, base::Context& context) {
            http::ClientOptions settings;
            settings.ca_file = chosen.webhook_ca;
            settings.request_timeout = kWebhookTimeout;
            http::Client client{settings, context};
            return post(client, chosen, *key, message, context);
        },
        complaint);
    return delivery;
}

void EventDelivery::event(const base::Json& event)
{
    if (receivers_.empty() || !is_chosen(event, options_)) return;
    auto told = event;
    told["ts"] = base::to_rfc3339(base::now());
    const auto body = base::to_text(told);
    for (const auto& [name, receiver] : receivers_)
        receiver->offer({to_hex(crypto::random_bytes(16)), body});
}

void EventDelivery::continue_for(EventDelivery& former)
{
    for (const auto& [name, receiver] : former.receivers_) {
        auto left = receiver->stop();
        const auto same = receivers_.find(name);
        if (same == receivers_.end()) continue;
        for (auto& message : left)
            same->second->offer(std::move(message));
    }
}

std::map<std::string, EventReceiver::Counts> EventDelivery::counts() const
{
    std::map<std::string, EventReceiver::Counts> all;
    for (const auto& [name, receiver] : receivers_)
        all[name] = receiver->counts();
    return all;
}

} // namespace acmetool::relay
