#include "registrar/masa_client.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include <fmt/core.h>

#include "base/body_text.h"
#include "base/text.h"
#include "base/time.h"
#include "http/curl_library.h"
#include "http/multi_client.h"
#include "http/retry_after.h"
#include "http/traced.h"
#include "http/url.h"
#include "registrar/masa_login.h"

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

/// All but what begins there belongs to the thread.
struct MasaClient::Impl {
    struct Open {
        MasaQuestion question;
        Hear hear;
        std::uint64_t sent = 0; ///< number of the last request: replies to earlier ones are ignored
        bool logged_in = false; ///< the last request answered a challenge
        std::chrono::seconds backoff{1};
        base::Worker::Timer again = 0;
    };

    Impl(const http::CurlLibrary& library, enrol::EventSink& sink, MasaThread thread)
        : curl(library), events(sink), worker(thread.worker), transfers(thread.transfers),
          executor(thread.worker.executor())
    {
    }

    void use(MasaSettings fresh);
    void close();
    void ask(MasaQuestion question, Hear hear);
    void forget(const std::string& id);
    void send(Open& question);
    void send(Open& question, http::Request request);
    void transfer(Open& question, http::Request request, http::MultiClient::Done done);
    void took(const std::string& id, std::uint64_t sent, Result<http::Response> reply);
    void follow_log(Open& question, const http::Response& reply);
    void delay(Open& question, MasaDelay told, std::optional<std::chrono::seconds> asked);
    void end(Open& question, MasaAnswer answer);

    const http::CurlLibrary& curl;
    enrol::EventSink& events;
    base::Worker& worker;
    http::MultiClientWait& transfers;
    const std::shared_ptr<base::Executor> executor; ///< the worker's, also after its end
    http::MultiClient* client = nullptr;            ///< of `transfers`
    MasaSettings settings;
    MasaLogin login;
    std::map<std::string, Open> open; ///< by the id of the question
    std::uint64_t last_sent = 0;
};

Result<std::unique_ptr<Masa>> MasaClient::start(MasaSettings settings, enrol::EventSink& events,
                                                MasaThread thread)
{
    ACMETOOL_TRY(curl, http::curl_library());
    std::unique_ptr<Masa> masa{new MasaClient(std::make_shared<Impl>(*curl, events, thread))};
    masa->use(std::move(settings));
    return masa;
}

MasaClient::~MasaClient()
{
    impl_->executor->post([impl = impl_] { impl->close(); });
}

void MasaClient::ask(MasaQuestion question, Hear hear)
{
    impl_->executor->post([impl = impl_, question = std::move(question), hear = std::move(hear)]() mutable {
        impl->ask(std::move(question), std::move(hear));
    });
}

void MasaClient::forget(const std::string& id)
{
    impl_->executor->post([impl = impl_, id] { impl->forget(id); });
}

void MasaClient::use(MasaSettings settings)
{
    impl_->executor->post([impl = impl_, fresh = std::make_shared<MasaSettings>(std::move(settings))] {
        impl->use(std::move(*fresh));
    });
}

void MasaClient::Impl::close()
{
    for (const auto& [id, one] : open)
        worker.cancel(one.again);
    if (client != nullptr) transfers.remove(*client);
    open.clear();
}

void MasaClient::Impl::ask(MasaQuestion question, Hear hear)
{
    auto& one = open[question.id];
    worker.cancel(one.again);
    one = {};
    one.question = std::move(question);
    one.hear = std::move(hear);
    send(one);
}

void MasaClient::Impl::forget(const std::string& id)
{
    const auto found = open.find(id);
    if (found == open.end()) return;
    worker.cancel(found->second.again);
    open.erase(found);
}

void MasaClient::Impl::use(MasaSettings fresh)
{
    settings = std::move(fresh);
    login.use(std::exchange(settings.credentials, std::nullopt));
    if (client != nullptr) transfers.remove(*client);
    client = &transfers.add(make_http(curl, settings));
    std::vector<std::string> ids;
    for (const auto& [id, one] : open)
        ids.push_back(id);
    for (const auto& id : ids) { // sending may end a question
        auto& one = open.at(id);
        worker.cancel(one.again);
        send(one);
    }
}

/// `one` may be gone after this and each of the following.
void MasaClient::Impl::send(Open& one)
{
    // The configuration may be another one than when the device asked.
    if (const auto allowed = may_ask(settings.manufacturer, one.question.masa_url); !allowed)
        return end(one, MasaRefusal{Cause::masa_not_allowed, allowed.error().message});
    send(one, request_of(one.question));
}

void MasaClient::Impl::send(Open& one, http::Request request)
{
    if (const auto good = login.authorize(request); !good)
        return end(one, MasaRefusal{cause_of(one.question, 0), good.error().message});
    one.sent = ++last_sent;
    transfer(one, std::move(request),
             [this, id = one.question.id, sent = one.sent](Result<http::Response> reply) {
                 took(id, sent, std::move(reply));
             });
}

/// Sends, and tells the trace of it.
void MasaClient::Impl::transfer(Open& one, http::Request request, http::MultiClient::Done done)
{
    if (!events.traces()) return client->send(std::move(request), std::move(done));
    auto asked = message_of(one.question, request);
    events.message(asked);
    client->send(std::move(request), [this, asked = std::move(asked), what = one.question.what,
                                      done = std::move(done)](Result<http::Response> outcome) {
        events.message(answer_message(asked, what, outcome));
        done(std::move(outcome));
    });
}

void MasaClient::Impl::took(const std::string& id, std::uint64_t sent, Result<http::Response> reply)
{
    const auto found = open.find(id);
    if (found == open.end() || found->second.sent != sent) return;
    auto& one = found->second;
    const auto& question = one.question;
    if (!reply)
        return delay(one, {words_about(question, reply.error().message), Cause::masa_silent}, std::nullopt);
    one.logged_in = reply->status == 401 && !one.logged_in && login.take(*reply);
    if (one.logged_in) return send(one);
    if (is_log(question) && reply->status == 201) return follow_log(one, *reply);
    if (reply->status == 202 || reply->status == 429 || reply->status >= 500)
        return delay(one,
                     {words_about(question, words_of(*reply)),
                      reply->status >= 500 ? Cause::masa_silent : Cause::none},
                     asked_wait(*reply));
    if (reply->status != 200)
        return end(one,
                   MasaRefusal{cause_of(question, reply->status), words_about(question, words_of(*reply))});
    end(one, MasaDocument{{reply->body.begin(), reply->body.end()},
                          std::string{http::find(reply->headers, "content-type").value_or("")}});
}

/// RFC 8995 section 5.8: the log may be at another place.
void MasaClient::Impl::follow_log(Open& one, const http::Response& reply)
{
    const auto location = http::find(reply.headers, "location");
    const auto base = http::parse_url(one.question.masa_url);
    const auto url = base && location ? http::resolve(*base, *location) : fail(Errc::protocol, "no Location");
    // The allow-list names hosts, so the log is fetched from the same one (SEC-06).
    if (!url || url->origin() != base->origin())
        return end(one, MasaRefusal{Cause::bad_audit_log, "the MASA put its audit log elsewhere"});
    http::Request request{http::Method::get, url->text(), {{"Accept", "application/json"}}, {}};
    if (const auto good = login.authorize(request); !good)
        return end(one, MasaRefusal{Cause::bad_audit_log, good.error().message});
    one.sent = ++last_sent;
    transfer(one, std::move(request),
             [this, id = one.question.id, sent = one.sent](Result<http::Response> fetched) {
                 if (fetched && fetched->status == 201) fetched->status = 500; // once is enough
                 took(id, sent, std::move(fetched));
             });
}

void MasaClient::Impl::delay(Open& one, MasaDelay told, std::optional<std::chrono::seconds> asked)
{
    const auto wait = asked.value_or(one.backoff);
    one.backoff = std::min(one.backoff * 2, kLongestMasaWait);
    one.again = worker.at(base::Worker::Clock::now() + wait, [this, id = one.question.id] {
        if (const auto found = open.find(id); found != open.end()) send(found->second);
    });
    one.hear(std::move(told));
}

void MasaClient::Impl::end(Open& one, MasaAnswer answer)
{
    const auto ended = open.extract(one.question.id);
    ended.mapped().hear(std::move(answer));
}

} // namespace acmetool::registrar
