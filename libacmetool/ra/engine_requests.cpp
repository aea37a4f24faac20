#include "ra/engine_impl.h"

#include <nlohmann/json.hpp>

#include "base/spread.h"
#include "base/text.h"
#include "crypto/digest.h"
#include "crypto/request_info.h"

namespace acmetool::ra
{
namespace
{

using base::Json;
using enrol::Decision;
using enrol::Ground;
using enrol::Refused;

constexpr std::chrono::seconds kBusyRetry{5};
constexpr std::chrono::seconds kStoreAway{30};

/// What somebody who is not known says of himself.
std::string claimed_by(const enrol::Peer& peer)
{
    return base::printable(peer.certificates.empty() ? peer.user : enrol::holder_of(peer.certificates));
}

Json names_of(const std::vector<crypto::Identifier>& identifiers)
{
    Json names = Json::array();
    for (const auto& identifier : identifiers)
        names.push_back(identifier.value);
    return names;
}

/// Nobody is told the same time as all others.
void spread(Decision& decision)
{
    if (auto* pending = std::get_if<enrol::Pending>(&decision))
        pending->retry_after = base::spread(pending->retry_after);
    if (auto* refused = std::get_if<Refused>(&decision); refused != nullptr && refused->retry_after)
        refused->retry_after = base::spread_after(*refused->retry_after);
}

} // namespace

Refused Engine::Impl::store_refusal()
{
    auto refused = refusal(Ground::store_away, "the registration authority's store is not available");
    refused.retry_after = turns_at_store.take(now(), kStoreAway);
    return refused;
}

Refused Engine::Impl::busy_refusal()
{
    auto refused = refusal(Ground::queue_full, "too many requests are waiting");
    refused.retry_after = turns_at_queue.take(now(), kBusyRetry);
    return refused;
}

void Engine::Impl::decided(const enrol::EnrolRequest& request, const std::string& csr_digest,
                           const Verdict& verdict, const std::function<void(Decision)>& done,
                           Decision decision)
{
    spread(decision);
    const auto* refused = std::get_if<Refused>(&decision);
    const auto* pending = std::get_if<enrol::Pending>(&decision);
    const char* word = refused != nullptr ? "refused" : pending != nullptr ? "pending" : "issued";
    count(refused != nullptr   ? "decisions_refused"
          : pending != nullptr ? "decisions_pending"
                               : "decisions_issued");
    if (events != nullptr) {
        Json told{{"event", "decision"},
                  {"level", refused != nullptr ? "warning" : "info"},
                  {"request_id", request.request_id},
                  {"device", verdict.device.id},
                  {"address", request.peer.address},
                  {"csrSha256", csr_digest},
                  {"identifiers", names_of(request.csr.identifiers)},
                  {"renewal", request.renewal},
                  {"decision", word},
                  // Only where EST does not say whether it is one.
                  {"protocol", request.may_renew ? "teap" : "est"}};
        if (verdict.device.id.empty())
            if (const auto claimed = claimed_by(request.peer); !claimed.empty()) told["client"] = claimed;
        if (!verdict.device.manufacturer.empty()) told["manufacturer"] = verdict.device.manufacturer;
        if (!request.label.empty()) told["label"] = base::printable(request.label, 100);
        if (!verdict.order_id.empty()) told["id"] = verdict.order_id;
        if (!verdict.url.empty()) told["order"] = verdict.url;
        if (verdict.from_cache) told["fromCache"] = true;
        if (pending != nullptr) told["retryAfter"] = pending->retry_after.count();
        if (refused != nullptr) {
            told["reason"] = enrol::name_of(refused->why);
            if (refused->ground != Ground::none) told["ground"] = enrol::name_of(refused->ground);
            told["text"] = refused->text;
            if (verdict.remembered) {
                told["rememberedSince"] = base::to_rfc3339(verdict.remembered->since);
                told["nextTry"] = base::to_rfc3339(verdict.remembered->next_try);
            }
        }
        if (const auto* got = std::get_if<enrol::Issued>(&decision))
            told["serial"] = got->certificate.serial();
        event(std::move(told));
    }
    done(std::move(decision));
}

void Engine::Impl::after_verdict(std::shared_ptr<Application> application, Verdict verdict,
                                 std::function<void(Decision)> done, store::GroupCommit::After& after)
{
    if (verdict.from_cache) count("cache_hits");
    auto* pending = std::get_if<enrol::Pending>(&verdict.decision);
    if (pending == nullptr) {
        after.push_back([this, application = std::move(application), verdict = std::move(verdict),
                         done = std::move(done)]() mutable {
            decided(application->request, application->csr_digest, verdict, done,
                    std::move(verdict.decision));
        });
        return;
    }
    {
        const std::lock_guard guard{deferred_mutex};
        if (const auto found = deferred_until.find(verdict.order_id); found != deferred_until.end())
            pending->retry_after =
                std::max(pending->retry_after, std::min(std::chrono::seconds{found->second - now()},
                                                        std::chrono::seconds{std::chrono::hours{1}}));
    }
    after.push_back([this, application = std::move(application), verdict = std::move(verdict),
                     done = std::move(done)]() mutable {
        auto order = std::move(verdict.start);
        verdict.start.reset();
        const bool is_new = order && order->url.empty() && !order->intended;
        const auto wait = application->request.wait.value_or(settings()->wait);
        if (wait.count() == 0) {
            decided(application->request, application->csr_digest, verdict, done, verdict.decision);
        } else {
            auto waiter = std::make_shared<Waiter>();
            waiter->order_id = verdict.order_id;
            waiter->pending = verdict.decision;
            // Only what the event needs is kept while it waits.
            auto request = std::make_shared<enrol::EnrolRequest>();
            request->request_id = application->request.request_id;
            request->peer.address = application->request.peer.address;
            request->label = application->request.label;
            request->renewal = application->request.renewal;
            request->may_renew = application->request.may_renew;
            request->csr.identifiers = application->request.csr.identifiers;
            waiter->answer = [this, request, digest = application->csr_digest, verdict = std::move(verdict),
                              done = std::move(done)](Decision decision) {
                decided(*request, digest, verdict, done, std::move(decision));
            };
            waiters.emplace(waiter->order_id, waiter);
            waiter->timer = commits->worker().at(base::Worker::Clock::now() + wait,
                                                 [this, raw = waiter.get()] { end_wait(*raw); });
        }
        if (is_new)
            start(std::move(*order), "orders_started", std::move(application->request.csr.der));
        else if (order)
            start(std::move(*order), "orders_continued");
    });
}

void Engine::Impl::examine_then(const enrol::Peer& peer, const std::shared_ptr<const Files>& known,
                                std::function<void(Claim)> next)
{
    const auto claim_of = [this, known](const enrol::Peer& from,
                                        std::optional<PasswordCheck::Verdict> verdict) {
        auto claim = examine(from, *known, verdict, now());
        if (known->issued_crls && claim.certificate)
            claim.revocation = judge_revocation(*claim.certificate, ca_set.offered(), known->issued_crls,
                                                now(), settings()->issued.grace);
        return claim;
    };
    if (peer.user.empty()) return next(claim_of(peer, std::nullopt));
    if (peer.digest) return next(claim_of(peer, passwords.check_digest(known->digest_users, peer)));
    auto copy = std::make_shared<const enrol::Peer>(peer.clone());
    passwords.check(known->users, *copy,
                    [copy, claim_of, next = std::move(next)](PasswordCheck::Verdict verdict) {
                        next(claim_of(*copy, verdict));
                    });
}

void Engine::Impl::enrol(enrol::EnrolRequest request, std::function<void(Decision)> done)
{
    count("requests");
    auto application = std::make_shared<Application>();
    application->csr_digest = to_hex(crypto::sha256(request.csr.der));
    application->request = std::move(request);
    auto rules = rules_of(*settings(), application->request.label);
    if (!rules)
        return decided(application->request, application->csr_digest, {}, done,
                       refusal(Ground::unknown_label, "unknown label"));
    application->rules = std::move(*rules);
    application->files = files();
    examine_then(application->request.peer, application->files,
                 [this, application, done = std::move(done)](Claim claim) {
                     application->claim = std::move(claim);
                     judge(application, done);
                 });
}

void Engine::Impl::judge(const std::shared_ptr<Application>& application, std::function<void(Decision)> done)
{
    const auto refuse_now = [&](Refused refused) {
        decided(application->request, application->csr_digest, {}, done, std::move(refused));
    };
    const auto options = settings();
    const auto& claim = application->claim;
    if (claim.refused) return refuse_now(*claim.refused);
    read_name(application->request.csr, application->rules.options.cn_is_name);
    application->csr_refusal = judge_csr(application->request, *options, application->rules);
    application->contents = judge_contents(application->request.csr, application->rules.options.allow);
    application->binding_refusal = judge_binding(application->request, *options);
    const auto info = crypto::info_digest(application->request.csr);
    if (!info) return refuse_now(refusal(Ground::malformed, info.error().message));
    application->info_digest = to_hex(*info);
    application->key_digest = to_hex(application->request.csr.key.spki_sha256());
    application->same_subject =
        claim.certificate && crypto::same_subject(application->request.csr, *claim.certificate);

    auto shared_done = std::make_shared<std::function<void(Decision)>>(std::move(done));
    const bool taken = commits->post(
        {[this, application, shared_done](store::Database& database,
                                          store::GroupCommit::After& after) -> Result<void> {
             Records records{database};
             {
                 const std::lock_guard guard{issuer_mutex};
                 decider.set_waiting(issuer ? issuer->waiting() : 0);
             }
             ACMETOOL_TRY(verdict, decider.decide(records, *application, now()));
             after.push_back([this] { decider.budget().settle(); });
             after_verdict(application, std::move(verdict), *shared_done, after);
             return {};
         },
         [this, application, shared_done](const Error& error) {
             decider.budget().undo();
             count("store_failures");
             event({{"event", "store"}, {"level", "error"}, {"text", error.message}, {"hint", error.hint}});
             decided(application->request, application->csr_digest, {}, *shared_done, store_refusal());
         }});
    if (taken) return;
    decided(application->request, application->csr_digest, {}, *shared_done, busy_refusal());
}

void Engine::Impl::attributes(enrol::Peer peer, const std::string& label,
                              std::function<void(enrol::AttributesDecision)> done)
{
    count("csr_attributes");
    const auto options = settings();
    const auto rules = rules_of(*options, label);
    if (!rules) return done(refusal(Ground::unknown_label, "unknown label"));
    auto question =
        std::make_shared<Question>(Question{options, files(), *rules, label, {}, std::move(done)});
    examine_then(peer, question->files, [this, question](Claim claim) {
        question->claim = std::move(claim);
        tell_attributes(question);
    });
}

/// Waking the store's thread, and a transaction, take longer than to read what is asked for. A database
/// elsewhere is left to that thread: it may keep whoever reads waiting.
std::optional<enrol::AttributesDecision> Engine::Impl::read_attributes(const Question& question)
{
    if (question.options->store.is_shared()) return std::nullopt;
    const std::lock_guard guard{reader_mutex};
    if (!reader->check_place()) return std::nullopt;
    Records records{*reader};
    Recognition recognition{records, *question.options, *question.files, Recognition::Use::reading};
    auto told = recognition.attributes(question.claim, question.rules, question.label, now());
    if (!told || recognition.has_to_write()) return std::nullopt;
    return std::move(*told);
}

void Engine::Impl::tell_attributes(const std::shared_ptr<Question>& question)
{
    if (question->claim.refused) return question->done(*question->claim.refused);
    if (auto told = read_attributes(*question)) return question->done(std::move(*told));
    const bool taken = commits->post(
        {[this, question](store::Database& database, store::GroupCommit::After& after) -> Result<void> {
             Records records{database};
             Recognition recognition{records, *question->options, *question->files,
                                     Recognition::Use::writing};
             ACMETOOL_TRY(told,
                          recognition.attributes(question->claim, question->rules, question->label, now()));
             after.push_back([question, told = std::move(told)] { question->done(told); });
             return {};
         },
         [this, question](const Error&) { question->done(store_refusal()); }});
    if (!taken) question->done(busy_refusal());
}

} // namespace acmetool::ra
