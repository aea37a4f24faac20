#include "registrar/open_requests.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "registrar/voucher_check.h"

namespace acmetool::registrar
{
namespace
{

using Steady = base::Worker::Clock;

constexpr std::chrono::seconds kAfterStoreFailure{10};
/// "Longer than a long weekend": so long people may take to decide (RFC 8995 section 5.6).
constexpr std::chrono::hours kLongestPending{96};

Decision decision_of(const Record& record)
{
    if (record.state == State::refused) return Refused{record.cause, record.reason};
    return Granted{record.voucher, record.voucher_type};
}

MasaQuestion question_of(const Record& record, const std::string& request_id)
{
    MasaQuestion question;
    question.id = record.id;
    question.what =
        record.state == State::auditing ? MasaQuestion::What::audit_log : MasaQuestion::What::voucher;
    question.masa_url = record.masa_url;
    question.request = record.registrar_request;
    question.media_type = record.media_type;
    question.accept = record.accept;
    question.request_id = request_id;
    return question;
}

void clear_cause(Record& record)
{
    record.cause = Cause::none;
    record.reason.clear();
}

} // namespace

Refused store_refusal()
{
    return {Cause::unavailable, "the registrar's store does not work", kAfterStoreFailure};
}

void OpenRequests::use(std::shared_ptr<const Settings> settings, std::vector<Record> resumed)
{
    settings_ = std::move(settings);
    for (auto one = open_.begin(); one != open_.end();) {
        const bool stays = settings_->find(one->second.record.manufacturer) != nullptr;
        if (!stays) drop(one->second);
        one = stays ? std::next(one) : open_.erase(one);
    }
    for (auto& record : resumed) {
        const auto id = record.id;
        const auto [added, is_new] = open_.try_emplace(id);
        if (!is_new) continue;
        added->second.record = std::move(record);
        added->second.registrar = settings_->signer.chain;
        added->second.on_disk = added->second.record.request_digest;
        added->second.noted = true;
        advance(id);
    }
}

std::optional<std::string> OpenRequests::join(const std::string& id, const std::string& digest,
                                              const std::string& manufacturer,
                                              const std::vector<crypto::Certificate>& registrar,
                                              const Asker& asker)
{
    auto found = open_.find(id);
    if (found == open_.end()) {
        auto stored = parts_.reader.read([&id](Records& records) { return records.record(id); });
        if (!stored) {
            asker.answer(store_refusal());
            return std::nullopt;
        }
        if (!*stored) return std::string{};
        if ((*stored)->manufacturer != manufacturer || (*stored)->request_digest != digest)
            return (*stored)->request_digest;
        // Another process asks the MASA: the pledge comes again.
        if (!is_decided((*stored)->state) && (*stored)->owner_is_alive && (*stored)->owner != parts_.run()) {
            asker.answer(Later{settings_->options.retry_after});
            return std::nullopt;
        }
        found = open_.try_emplace(id).first;
        found->second.record = std::move(**stored);
        found->second.on_disk = digest;
        found->second.noted = true;
    }
    auto& open = found->second;
    if (open.record.request_digest != digest) return open.on_disk;
    open.registrar = registrar;
    if (open.request_id.empty()) open.request_id = asker.request_id;
    wait(open, asker);
    advance(id);
    return std::nullopt;
}

void OpenRequests::begin(Record record, std::string earlier, std::vector<crypto::Certificate> registrar,
                         const Asker& asker)
{
    const auto id = record.id;
    const auto* manufacturer = settings_->find(record.manufacturer);
    if (manufacturer == nullptr) return asker.answer(Later{settings_->options.retry_after}); // gone meanwhile
    const auto [place, is_new] = open_.try_emplace(id);
    auto& open = place->second;
    if (is_new) open.on_disk = std::move(earlier);
    if (open.asked) manufacturer->masa->forget(id);
    for (auto& waiter : std::exchange(open.waiters, {})) {
        parts_.worker.cancel(waiter.timer);
        open.owed.push_back({std::move(waiter.answer), Refused{Cause::replaced, "another request came"}});
    }
    open.record = std::move(record);
    open.registrar = std::move(registrar);
    open.request_id = asker.request_id;
    open.pinned_domain.clear();
    open.heard = {};
    open.asked = false;
    open.noted = false;
    open.changed = false;
    wait(open, asker);
    advance(id);
}

void OpenRequests::end()
{
    for (auto& [id, open] : open_)
        drop(open);
    open_.clear();
}

/// What it says may not be on disk, so nobody is answered anything else than "later".
void OpenRequests::drop(Open& open)
{
    const Decision later = Later{settings_->options.retry_after};
    parts_.worker.cancel(open.again);
    for (auto& waiter : std::exchange(open.waiters, {})) {
        parts_.worker.cancel(waiter.timer);
        waiter.answer(later);
    }
    for (auto& owed : std::exchange(open.owed, {}))
        owed.answer(later);
}

void OpenRequests::wait(Open& open, const Asker& asker)
{
    const auto number = ++last_waiter_;
    const auto timer = parts_.worker.at(Steady::now() + asker.wait,
                                        [this, id = open.record.id, number] { late(id, number); });
    open.waiters.push_back({number, timer, asker.answer});
}

/// RFC 8995 section 5.6: 202 until the voucher is there.
void OpenRequests::late(const std::string& id, std::uint64_t number)
{
    const auto found = open_.find(id);
    if (found == open_.end()) return;
    auto& open = found->second;
    std::erase_if(open.waiters, [&](Waiter& waiter) {
        if (waiter.number != number) return false;
        open.owed.push_back({std::move(waiter.answer), Later{settings_->options.retry_after}});
        return true;
    });
    // From now on the device is looked for by others: operators, and relays that it may ask next.
    if (!open.is_on_disk()) open.changed = true;
    advance(id);
}

/// Does what is to be done next for a request: after each change of it.
void OpenRequests::advance(const std::string& id)
{
    const auto found = open_.find(id);
    if (found == open_.end()) return;
    auto& open = found->second;
    if (is_decided(open.record.state)) settle(open);
    if (!open.noted && !open.noting) note(open);
    if (open.changed && !open.writing) write(open);
    if (!is_decided(open.record.state) && open.noted && !open.asked) ask(open);
    if (open.changed || open.writing) return;
    auto owed = std::exchange(open.owed, {});
    if (is_decided(open.record.state)) open_.erase(found);
    for (auto& one : owed)
        one.answer(std::move(one.decision));
}

/// A device may enrol once its voucher was forwarded (RFC 8995 section 5.9), which is on disk before the
/// voucher leaves.
void OpenRequests::settle(Open& open)
{
    if (open.waiters.empty()) return;
    if (open.record.state == State::ready) {
        open.record.state = State::forwarded;
        open.changed = true;
    }
    for (auto& waiter : std::exchange(open.waiters, {})) {
        parts_.worker.cancel(waiter.timer);
        open.owed.push_back({std::move(waiter.answer), decision_of(open.record)});
    }
}

/// `run` says whether the request is the device's last one.
void OpenRequests::post(const Open& open, std::function<Result<bool>(Records&)> run, Written written)
{
    const auto& id = open.record.id;
    const auto& digest = open.record.request_digest;
    const auto done = parts_.worker.bind([this, id, digest, written](const std::optional<Error>& error) {
        if (const auto found = open_.find(id); found != open_.end())
            (this->*written)(found->second, digest, error);
    });
    const auto outdone = parts_.worker.bind([this, id, digest] { replaced(id, digest); });
    const bool taken = parts_.commits.post(
        {[run = std::move(run), done, outdone](store::Database& database,
                                               store::GroupCommit::After& after) -> Result<void> {
             Records records{database};
             ACMETOOL_TRY(is_last, run(records));
             if (is_last)
                 after.push_back([done] { done(std::optional<Error>{}); });
             else
                 after.push_back(outdone);
             return {};
         },
         [done](const Error& error) { done(std::optional<Error>{error}); }});
    if (taken) return;
    Error busy;
    busy.code = Errc::temporary;
    busy.message = "the store has too much to write";
    done(std::optional<Error>{std::move(busy)});
}

void OpenRequests::note(Open& open)
{
    open.noting = true;
    post(
        open,
        [id = open.record.id, nonce = open.record.nonce](Records& records) -> Result<bool> {
            ACMETOOL_CHECK(records.remember_nonce(id, nonce));
            return true;
        },
        &OpenRequests::noted);
}

void OpenRequests::noted(Open& open, const std::string& digest, const std::optional<Error>& error)
{
    open.noting = false;
    if (error) return store_failed(open, *error);
    if (open.record.request_digest == digest) open.noted = true;
    advance(open.record.id);
}

void OpenRequests::write(Open& open)
{
    open.changed = false;
    open.writing = true;
    open.record.owner = parts_.run();
    const auto record = std::make_shared<const Record>(open.record);
    if (open.is_on_disk())
        post(
            open, [record](Records& records) { return records.update(*record); }, &OpenRequests::wrote);
    else
        post(
            open,
            [record, earlier = open.on_disk](Records& records) { return records.put(*record, earlier); },
            &OpenRequests::wrote);
}

void OpenRequests::wrote(Open& open, const std::string& digest, const std::optional<Error>& error)
{
    open.writing = false;
    if (error) {
        open.changed = true;
        return store_failed(open, *error);
    }
    open.on_disk = digest;
    advance(open.record.id);
}

/// Another process has another request of the device, and this one is not its last.
void OpenRequests::replaced(const std::string& id, const std::string& digest)
{
    const auto found = open_.find(id);
    if (found == open_.end() || found->second.record.request_digest != digest) return;
    auto open = std::move(found->second);
    open_.erase(found);
    parts_.worker.cancel(open.again);
    if (const auto* manufacturer = settings_->find(open.record.manufacturer);
        manufacturer != nullptr && open.asked)
        manufacturer->masa->forget(id);
    const Decision decision = Refused{Cause::replaced, "another request came"};
    for (auto& waiter : open.waiters) {
        parts_.worker.cancel(waiter.timer);
        waiter.answer(decision);
    }
    for (auto& owed : open.owed)
        owed.answer(decision);
}

/// Whoever waits is answered, and the work goes on later.
void OpenRequests::store_failed(Open& open, const Error& error)
{
    parts_.events.event({{"event", "brski"},
                         {"level", "error"},
                         {"cause", name_of(Cause::unavailable)},
                         {"text", error.message}});
    parts_.worker.cancel(open.again);
    open.again =
        parts_.worker.at(Steady::now() + kAfterStoreFailure, [this, id = open.record.id] { advance(id); });
    for (auto& waiter : std::exchange(open.waiters, {})) {
        parts_.worker.cancel(waiter.timer);
        waiter.answer(store_refusal());
    }
    for (auto& owed : std::exchange(open.owed, {}))
        owed.answer(store_refusal());
}

void OpenRequests::ask(Open& open)
{
    const auto* manufacturer = settings_->find(open.record.manufacturer);
    if (manufacturer == nullptr) return;
    open.asked = true;
    if (open.heard == base::TimePoint{}) open.heard = parts_.now();
    auto question = question_of(open.record, open.request_id);
    const auto what = question.what;
    manufacturer->masa->ask(
        std::move(question),
        parts_.worker.bind([this, id = open.record.id, digest = open.record.request_digest,
                            what](MasaAnswer answer) { heard(id, digest, what, std::move(answer)); }));
}

void OpenRequests::heard(const std::string& id, const std::string& digest, MasaQuestion::What what,
                         MasaAnswer answer)
{
    const auto found = open_.find(id);
    if (found == open_.end() || found->second.record.request_digest != digest) return;
    auto& open = found->second;
    const bool log = open.record.state == State::auditing;
    if (is_decided(open.record.state) || log != (what == MasaQuestion::What::audit_log)) return;
    const auto* delay = std::get_if<MasaDelay>(&answer);
    if (delay == nullptr || delay->cause != Cause::masa_silent) open.heard = parts_.now();
    if (delay != nullptr)
        delayed(open, *delay);
    else if (const auto* refusal = std::get_if<MasaRefusal>(&answer))
        refuse(open, refusal->cause, refusal->why);
    else if (!log)
        took_voucher(open, std::get<MasaDocument>(answer));
    else if (!took_log(open, std::get<MasaDocument>(answer)))
        return;
    advance(id);
}

void OpenRequests::delayed(Open& open, const MasaDelay& delay)
{
    const bool is_silent = delay.cause == Cause::masa_silent;
    const auto give_up = settings_->options.give_up;
    if (is_silent
            ? parts_.now() - open.heard > give_up
            : parts_.now() - open.record.since > std::max<std::chrono::seconds>(kLongestPending, give_up)) {
        if (const auto* manufacturer = settings_->find(open.record.manufacturer))
            manufacturer->masa->forget(open.record.id);
        return refuse(open, is_silent ? Cause::masa_silent : Cause::masa_pending, delay.why);
    }
    // It may say the same for hours.
    if (open.record.cause == delay.cause && open.record.reason == delay.why) return;
    open.record.cause = delay.cause;
    open.record.reason = delay.why;
    open.changed = true;
    tell(open, delay.why);
}

void OpenRequests::refuse(Open& open, Cause cause, const std::string& reason)
{
    open.record.state = State::refused;
    open.record.cause = cause;
    open.record.reason = reason;
    open.changed = true;
    tell(open, reason);
}

void OpenRequests::took_voucher(Open& open, const MasaDocument& document)
{
    auto accepted = accept_voucher(open.record, open.registrar, document.octets, document.type);
    if (!accepted) return refuse(open, Cause::bad_voucher, accepted.error().message);
    open.record.voucher = document.octets;
    open.record.voucher_type = std::move(accepted->type);
    clear_cause(open.record);
    open.record.state = settings_->options.audit_log ? State::auditing : State::ready;
    open.pinned_domain = std::move(accepted->pinned_domain);
    open.asked = false;
    // Else it is written with what the MASA says of its log: a restart before that asks for the voucher
    // again.
    if (open.record.state == State::ready) open.changed = true;
    tell(open, "voucher received");
}

/// False if the store failed: the log is asked for again later.
bool OpenRequests::took_log(Open& open, const MasaDocument& document)
{
    auto nonces = parts_.reader.read([&open](Records& records) { return records.nonces(open.record.id); });
    if (!nonces) {
        open.asked = false;
        store_failed(open, nonces.error());
        return false;
    }
    // The domain of a voucher from an earlier run has to be read again.
    if (open.pinned_domain.empty())
        if (auto domain = pinned_domain(open.record, open.registrar)) open.pinned_domain = std::move(*domain);
    const auto good =
        accept_log(settings_->options, {open.pinned_domain, open.record.nonce, std::move(*nonces)},
                   as_text(document.octets));
    if (!good) {
        refuse(open, Cause::bad_audit_log, good.error().message);
        return true;
    }
    open.record.state = State::ready;
    clear_cause(open.record);
    open.changed = true;
    tell(open, "audit log is good");
    return true;
}

void OpenRequests::tell(const Open& open, const std::string& what)
{
    const auto& record = open.record;
    base::Json event{{"event", "brski"},
                     {"manufacturer", record.manufacturer},
                     {"serial", base::printable(record.serial, 100)},
                     {"state", name_of(record.state)},
                     {"text", what},
                     {"level", record.cause == Cause::none ? "info" : "warning"}};
    if (!open.request_id.empty()) event["request_id"] = open.request_id;
    if (record.cause != Cause::none) event["cause"] = name_of(record.cause);
    parts_.events.event(event);
}

} // namespace acmetool::registrar
