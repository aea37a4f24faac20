#include "registrar/masa_client.h"

#include <algorithm>
#include <utility>

#include <fmt/core.h>

#include "base/body_text.h"
#include "base/text.h"
#include "base/time.h"
#include "http/multi_client.h"
#include "http/retry_after.h"
#include "http/traced.h"
#include "http/url.h"

namespace acmetool::registrar
{
namespace
{

constexpr unsigned kRequestsAtOnce = 32;

std::unique_ptr<http::MultiClient> make_http(const http::CurlLibrary& curl, const MasaSettings& settings)
{
    return std::make_unique<http::MultiClient>(curl, settings.http, kRequestsAtOnce,
                                               !settings.manufacturer.private_addresses);
}

bool is_log(const MasaQuestion& question)
{
    return question.what == MasaQuestion::What::audit_log;
}

/// What the MASA wrote, fit for a log line and for the pledge (RFC 8995 section 5.6).
std::string words_of(const http::Response& reply)
{
    const auto words = base::printable(base::trim_body(reply.body), 200);
    return fmt::format("the MASA answered {}{}{}", reply.status, words.empty() ? "" : ": ", words);
}

std::string words_about(const MasaQuestion& question, const std::string& words)
{
    return is_log(question) ? "audit log: " + words : words;
}

std::optional<std::chrono::seconds> asked_wait(const http::Response& reply)
{
    const auto header = http::find(reply.headers, "retry-after");
    if (!header) return std::nullopt;
    return http::parse_retry_after(*header, base::now(), kLongestMasaWait);
}

/// RFC 8995 section 5.6. A 401 is for the administrator, not for the pledge (section 5.4).
Cause cause_of(const MasaQuestion& question, int status)
{
    if (is_log(question)) return Cause::bad_audit_log;
    return status == 404   ? Cause::masa_unknown
           : status == 406 ? Cause::masa_no_such_format
                           : Cause::masa_refused;
}

http::Request request_of(const MasaQuestion& question)
{
    http::Request request;
    request.method = http::Method::post;
    request.url = question.masa_url + (is_log(question) ? "/requestauditlog" : "/requestvoucher");
    request.headers = {{"Content-Type", question.media_type},
                       {"Accept", is_log(question) ? "application/json" : question.accept}};
    request.body = as_text(question.request);
    return request;
}

base::Message message_of(const MasaQuestion& question, const http::Request& request)
{
    base::Message message;
    message.from = "ra";
    message.to = "masa";
    message.method = http::name_of(request.method);
    message.url = request.url;
    message.label =
        fmt::format("{} /{}", message.method, is_log(question) ? "requestauditlog" : "requestvoucher");
    message.request_id = question.request_id;
    return message;
}

base::Message answer_message(const base::Message& asked, MasaQuestion::What what,
                             const Result<http::Response>& outcome)
{
    auto message = http::reply_message(asked, outcome);
    if (!outcome) return message;
    if (outcome->status == 200)
        message.label += what == MasaQuestion::What::voucher ? " voucher" : " audit log";
    if (const auto wait = asked_wait(*outcome))
        message.label += fmt::format(" Retry-After={}", wait->count());
    if (outcome->status >= 400) message.detail = base::printable(base::trim_body(outcome->body), 200);
    return message;
}

} // namespace

Result<std::unique_ptr<Masa>> MasaClient::start(MasaSettings settings, enrol::EventSink& events)
{
    ACMETOOL_TRY(curl, http::curl_library());
    return std::unique_ptr<Masa>{new MasaClient(*curl, std::move(settings), events)};
}

MasaClient::MasaClient(const http::CurlLibrary& curl, MasaSettings settings, enrol::EventSink& events)
    : curl_(curl), events_(events), settings_(std::move(settings)),
      transfers_(new http::MultiClientWait(make_http(curl, settings_))),
      worker_("masa", std::unique_ptr<base::Worker::Wait>{transfers_})
{
    worker_.post([this] { login_.use(std::exchange(settings_.credentials, std::nullopt)); });
}

MasaClient::~MasaClient()
{
    worker_.stop();
}

void MasaClient::ask(MasaQuestion question, Hear hear)
{
    worker_.post([this, question = std::move(question), hear = std::move(hear)]() mutable {
        auto& open = open_[question.id];
        worker_.cancel(open.again);
        open = {};
        open.question = std::move(question);
        open.hear = std::move(hear);
        send(open);
    });
}

void MasaClient::forget(const std::string& id)
{
    worker_.post([this, id] {
        const auto found = open_.find(id);
        if (found == open_.end()) return;
        worker_.cancel(found->second.again);
        open_.erase(found);
    });
}

void MasaClient::use(MasaSettings settings)
{
    worker_.post([this, fresh = std::make_shared<MasaSettings>(std::move(settings))] {
        settings_ = std::move(*fresh);
        login_.use(std::exchange(settings_.credentials, std::nullopt));
        transfers_->replace(make_http(curl_, settings_));
        std::vector<std::string> ids;
        for (const auto& [id, open] : open_)
            ids.push_back(id);
        for (const auto& id : ids) { // sending may end a question
            auto& open = open_.at(id);
            worker_.cancel(open.again);
            send(open);
        }
    });
}

/// `open` may be gone after this and each of the following.
void MasaClient::send(Open& open)
{
    // The configuration may be another one than when the device asked.
    if (const auto allowed = may_ask(settings_.manufacturer, open.question.masa_url); !allowed)
        return end(open, MasaRefusal{Cause::masa_not_allowed, allowed.error().message});
    send(open, request_of(open.question));
}

void MasaClient::send(Open& open, http::Request request)
{
    if (const auto good = login_.authorize(request); !good)
        return end(open, MasaRefusal{cause_of(open.question, 0), good.error().message});
    open.sent = ++last_sent_;
    transfer(open, std::move(request),
             [this, id = open.question.id, sent = open.sent](Result<http::Response> reply) {
                 took(id, sent, std::move(reply));
             });
}

/// Sends, and tells the trace of it.
void MasaClient::transfer(Open& open, http::Request request, http::MultiClient::Done done)
{
    if (!events_.traces()) return transfers_->send(std::move(request), std::move(done));
    auto asked = message_of(open.question, request);
    events_.message(asked);
    transfers_->send(std::move(request), [this, asked = std::move(asked), what = open.question.what,
                                          done = std::move(done)](Result<http::Response> outcome) {
        events_.message(answer_message(asked, what, outcome));
        done(std::move(outcome));
    });
}

void MasaClient::took(const std::string& id, std::uint64_t sent, Result<http::Response> reply)
{
    const auto found = open_.find(id);
    if (found == open_.end() || found->second.sent != sent) return;
    auto& open = found->second;
    const auto& question = open.question;
    if (!reply)
        return delay(open, {words_about(question, reply.error().message), Cause::masa_silent}, std::nullopt);
    open.logged_in = reply->status == 401 && !open.logged_in && login_.take(*reply);
    if (open.logged_in) return send(open);
    if (is_log(question) && reply->status == 201) return follow_log(open, *reply);
    if (reply->status == 202 || reply->status == 429 || reply->status >= 500)
        return delay(open,
                     {words_about(question, words_of(*reply)),
                      reply->status >= 500 ? Cause::masa_silent : Cause::none},
                     asked_wait(*reply));
    if (reply->status != 200)
        return end(open,
                   MasaRefusal{cause_of(question, reply->status), words_about(question, words_of(*reply))});
    end(open, MasaDocument{{reply->body.begin(), reply->body.end()},
                           std::string{http::find(reply->headers, "content-type").value_or("")}});
}

/// RFC 8995 section 5.8: the log may be at another place.
void MasaClient::follow_log(Open& open, const http::Response& reply)
{
    const auto location = http::find(reply.headers, "location");
    const auto base = http::parse_url(open.question.masa_url);
    const auto url = base && location ? http::resolve(*base, *location) : fail(Errc::protocol, "no Location");
    // The allow-list names hosts, so the log is fetched from the same one (SEC-06).
    if (!url || url->origin() != base->origin())
        return end(open, MasaRefusal{Cause::bad_audit_log, "the MASA put its audit log elsewhere"});
    http::Request request{http::Method::get, url->text(), {{"Accept", "application/json"}}, {}};
    if (const auto good = login_.authorize(request); !good)
        return end(open, MasaRefusal{Cause::bad_audit_log, good.error().message});
    open.sent = ++last_sent_;
    transfer(open, std::move(request),
             [this, id = open.question.id, sent = open.sent](Result<http::Response> fetched) {
                 if (fetched && fetched->status == 201) fetched->status = 500; // once is enough
                 took(id, sent, std::move(fetched));
             });
}

void MasaClient::delay(Open& open, MasaDelay told, std::optional<std::chrono::seconds> asked)
{
    const auto wait = asked.value_or(open.backoff);
    open.backoff = std::min(open.backoff * 2, kLongestMasaWait);
    open.again = worker_.at(base::Worker::Clock::now() + wait, [this, id = open.question.id] {
        if (const auto found = open_.find(id); found != open_.end()) send(found->second);
    });
    open.hear(std::move(told));
}

void MasaClient::end(Open& open, MasaAnswer answer)
{
    const auto ended = open_.extract(open.question.id);
    ended.mapped().hear(std::move(answer));
}

} // namespace acmetool::registrar
