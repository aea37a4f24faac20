#include "acme/order_task.h"

#include <algorithm>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "acme/certificate_id.h"
#include "acme/fulfil.h"
#include "base/text.h"

namespace acmetool::acme
{
namespace
{

using base::Json;
using base::Milliseconds;

constexpr std::size_t kMostListedOrders = 10'000;
constexpr std::size_t kMostPages = 100;
constexpr std::size_t kMostLookedAt = 50;
constexpr std::size_t kMostExplained = 5;
constexpr std::size_t kMostAlternates = 20;
constexpr std::chrono::minutes kClockTolerance{5};
/// For so long after finalize, only the CA's word that an order is gone or invalid makes room for another
/// one.
constexpr std::chrono::hours kFinalizedStands{24};
/// Locked from the intent until the order's URL is stored, so that an order without an entry is certainly an
/// orphan.
const StateDirectory::Key kPlacing{"orders", "placing"};

Json to_json(const std::vector<crypto::Identifier>& identifiers)
{
    Json list = Json::array();
    for (const auto& identifier : identifiers)
        list.push_back({{"type", identifier.type}, {"value", identifier.value}});
    return list;
}

/// One intent in the state directory, and its order.
class Journey
{
public:
    Journey(Client& client, OrderTask task)
        : client_(client), task_(std::move(task)), flow_(request_of(task_), task_.goal)
    {
        std::string names;
        for (const auto& identifier : task_.identifiers)
            names += identifier.type + ":" + identifier.value + ",";
        const auto spki = to_hex(task_.csr.key.spki_sha256());
        std::vector<std::string_view> intent{client_.directory().url, names, spki, task_.profile};
        if (!task_.lifetime.empty()) intent.push_back(task_.lifetime);
        key_ = {"orders", entry_id(intent)};
    }

    Result<OrderOutcome> go();

private:
    static OrderRequest request_of(const OrderTask& task)
    {
        return {task.identifiers, task.ancestor_domains, task.profile,    task.csr.der,
                task.csr.key,     task.replaces,         task.not_before, task.not_after};
    }

    Result<void> pick_up();
    bool take_kept_certificate();
    Result<void> adopt();
    Result<OrderOutcome> drive();
    Result<Reply> send(Post post);
    Result<bool> authorize(const std::vector<std::string>& urls);
    bool is_for_ancestor(const Authorization& authorization) const;
    std::string path() const;
    Result<std::vector<crypto::Certificate>> fetch_chain(Post post);
    Result<void> choose_chain();
    Result<OrderOutcome> finish();
    bool is_finalized() const;
    bool is_fresh(const crypto::Certificate& leaf) const;
    Error explain(Error error);
    bool of_no_use(const Error& error);
    OrderOutcome outcome(bool not_yet, std::optional<std::chrono::seconds> retry_after);
    Result<void> save()
    {
        entry_["identifiers"] = to_json(task_.identifiers);
        return client_.state().save(key_, entry_);
    }

    Client& client_;
    OrderTask task_;
    OrderFlow flow_;
    StateDirectory::Key key_;
    Json entry_ = Json::object();
    bool resumed_ = false; ///< the order comes from the state, not from this call
    std::vector<crypto::Certificate> kept_;
    std::vector<std::string> alternates_; ///< URLs of other chains
};

/// Erases an order from the state, whichever step left it there: newOrder's entry is another one if it
/// asked for a profile or times, of which a document says nothing.
void forget(StateDirectory& state, const std::string& entry, const std::string& url)
{
    state.erase({"orders", entry});
    for (const auto& id : url.empty() ? std::vector<std::string>{} : state.list("orders"))
        if (const auto other = state.load({"orders", id});
            other && *other && base::string_member(**other, "url") == url)
            state.erase({"orders", id});
}

/// "a.example and 2 more names"
std::string names_of(const std::vector<crypto::Identifier>& identifiers)
{
    const auto more = identifiers.size() - 1;
    return more == 0 ? identifiers.front().value
                     : fmt::format("{} and {} more {}", identifiers.front().value, more,
                                   more == 1 ? "name" : "names");
}

/// True if an ordered name is below the domain of `authorization`, which was not ordered itself.
bool Journey::is_for_ancestor(const Authorization& authorization) const
{
    const auto& domain = authorization.identifier;
    return std::none_of(task_.identifiers.begin(), task_.identifiers.end(), [&](const auto& identifier) {
        return identifier.value == domain || identifier.value == "*." + domain;
    });
}

/// As of OrderOutcome. A path that is not in the state was no path of challenges: these are stored before
/// they are published.
std::string Journey::path() const
{
    if (const auto known = base::string_member(entry_, "path")) return *known;
    if (task_.order && !task_.path.empty()) return task_.path;
    const bool authorized = !kept_.empty() || flow_.order().status == "ready" ||
                            flow_.order().status == "processing" || flow_.order().status == "valid";
    return authorized && !task_.order ? "preauthorized" : "";
}

OrderOutcome Journey::outcome(bool not_yet, std::optional<std::chrono::seconds> retry_after)
{
    OrderOutcome result;
    result.order = flow_.order();
    result.csr = task_.csr;
    result.chain = kept_.empty() ? flow_.chain() : kept_;
    result.not_yet = not_yet;
    result.retry_after = retry_after;
    result.path = path();
    result.entry_id = key_.id;
    return result;
}

/// The certificate of a run that was killed before it was written, if it is still valid.
bool Journey::take_kept_certificate()
{
    const auto pem = base::string_member(entry_, "certificate");
    if (!pem || task_.goal != OrderFlow::Goal::downloaded) return false;
    auto chain = crypto::parse_pem_chain(*pem);
    if (!chain || !check_chain(*chain, flow_.request(), client_.context().now())) return false;
    if (!is_fresh(chain->front())) return false;
    kept_ = std::move(*chain);
    if (const auto list = entry_.find("alternates"); list != entry_.end() && list->is_array())
        for (const auto& url : *list)
            if (url.is_string()) alternates_.push_back(url.get<std::string>());
    return true;
}

/// True in the first third of its life, which begins with finalize if the CA writes an earlier time into
/// the certificate: later, a new one is better than one that a run left behind.
bool Journey::is_fresh(const crypto::Certificate& leaf) const
{
    const auto now = client_.context().now();
    auto begin = leaf.not_before();
    if (const auto finalized = time_member(entry_, "finalized"); finalized && *finalized <= now)
        begin = std::max(begin, *finalized);
    return now < begin + (leaf.not_after() - leaf.not_before()) / 3;
}

/// True if an earlier run finalized the order not long ago.
bool Journey::is_finalized() const
{
    const auto at = time_member(entry_, "finalized");
    const auto now = client_.context().now();
    return at && now < *at + kFinalizedStands && *at < now + kFinalizedStands;
}

Result<void> Journey::pick_up()
{
    ACMETOOL_TRY(loaded, client_.state().load(key_));
    if (loaded) entry_ = std::move(*loaded);
    if (task_.solver != nullptr) clean_up_after_crash(entry_, *task_.solver, client_.context());
    entry_.erase("published");
    if (task_.order) {
        flow_.resume(*task_.order);
        if (base::string_member(entry_, "url") != task_.order->url) entry_ = Json::object();
        entry_["url"] = task_.order->url;
        return {};
    }
    if (take_kept_certificate()) return {};
    entry_.erase("certificate");
    const auto url = base::string_member(entry_, "url");
    if (url && client_.directory().owns(*url)) {
        flow_.resume(*url, {false, is_finalized()});
        resumed_ = true;
    } else if (entry_.contains("intended")) {
        ACMETOOL_CHECK(adopt());
    }
    return {};
}

/// The intent was stored, but the run ended before it had the order's URL: searches for an unfinished order
/// for exactly these names without an entry.
Result<void> Journey::adopt()
{
    const auto placing = client_.state().lock(kPlacing, client_.context());
    if (!placing) return fail(placing.error());
    const auto urls = listed_orders(client_, kMostListedOrders);
    if (!urls) {
        if (urls.error().code == Errc::interrupted || urls.error().code == Errc::unavailable)
            return fail(urls.error());
        return {}; // a server without the list: an unfinalized orphan may remain
    }
    std::vector<std::string> held;
    for (const auto& id : client_.state().list("orders"))
        if (const auto entry = client_.state().load({"orders", id}); entry && *entry)
            held.push_back(base::string_member(**entry, "url").value_or(""));
    std::vector<std::string> orphans;
    for (const auto& url : *urls)
        if (std::find(held.begin(), held.end(), url) == held.end() && client_.directory().owns(url))
            orphans.push_back(url);
    // The list has no defined order, but most servers append or prepend, so search from both ends.
    for (std::size_t i = 0; i < std::min(orphans.size(), kMostLookedAt); ++i) {
        const auto& url = i % 2 == 0 ? orphans[orphans.size() - 1 - i / 2] : orphans[i / 2];
        const auto reply = client_.post(Post{Step::order, {}, url, ""});
        if (!reply) continue;
        const auto order = parse_order(reply->body, url);
        if (!order || order->identifiers != task_.identifiers) continue;
        if (order->status != "pending" && order->status != "ready") continue;
        client_.context().log(base::Level::detail,
                              fmt::format("continuing with order {} of an interrupted run", url));
        flow_.resume(*order);
        resumed_ = true;
        entry_["url"] = url;
        return save();
    }
    return {};
}

Result<Reply> Journey::send(Post post)
{
    const bool is_new = post.step == Step::new_order;
    if (is_new) {
        entry_.erase("path");
        entry_.erase("finalized");
        entry_["intended"] = base::to_rfc3339(client_.context().now());
        ACMETOOL_CHECK(save());
    }
    if (post.step == Step::finalize) {
        entry_["finalized"] = base::to_rfc3339(client_.context().now());
        ACMETOOL_CHECK(save());
    }
    auto reply = client_.post(std::move(post));
    if (is_new && reply) {
        entry_["url"] = reply->location;
        ACMETOOL_CHECK(save());
    }
    if (reply && reply->content_type.starts_with("application/pem-certificate-chain"))
        for (const auto& [relation, target] : reply->links)
            if (relation == "alternate") alternates_.push_back(target);
    // A refusal leaves nothing on the server: remove the intent.
    if (is_new && !reply && !reply.error().problem_type.empty()) client_.state().erase(key_);
    return reply;
}

/// True if all are valid; false if the deadline came first.
Result<bool> Journey::authorize(const std::vector<std::string>& urls)
{
    std::vector<Authorization> authorizations;
    std::vector<std::string> pending;
    for (const auto& url : urls) {
        ACMETOOL_TRY(authorization,
                     client_.fetch_authorization(url, scope_of_order(task_.identifiers), true));
        if (authorization.status != "valid") pending.push_back(authorization.identifier);
        authorizations.push_back(std::move(authorization));
    }
    if (task_.solver == nullptr && !pending.empty())
        return fail(
            Errc::authorization_needed,
            fmt::format("order {} is pending: {} must be authorized first", flow_.order().url,
                        base::printable(base::join(pending, ", "))),
            "pre-authorize it with acme-preauth run, or give a solver (--dns-update, --hook, --webroot, "
            "--standalone, --dns-persist, --manual)",
            "authorizationNeeded");
    if (pending.empty()) return true;
    const bool by_ancestor = std::any_of(authorizations.begin(), authorizations.end(), [&](const auto& a) {
        return a.status != "valid" && is_for_ancestor(a);
    });
    entry_["path"] = by_ancestor ? "ancestor" : "order";
    const Journal journal = [&](const std::vector<ChallengeTask>& tasks) {
        entry_["published"] = Json::array();
        for (const auto& task : tasks)
            entry_["published"].push_back(to_json(task));
        return save();
    };
    ACMETOOL_TRY(seen, fulfil(client_, std::move(authorizations), *task_.solver, journal));
    return std::all_of(seen.begin(), seen.end(), [](const Authorization& a) { return a.status == "valid"; });
}

Result<std::vector<crypto::Certificate>> Journey::fetch_chain(Post post)
{
    ACMETOOL_TRY(reply, client_.post(std::move(post)));
    ACMETOOL_TRY(chain, crypto::parse_pem_chain(reply.body));
    ACMETOOL_CHECK(check_chain(chain, flow_.request(), client_.context().now()));
    return std::move(chain);
}

/// Searches for the preferred chain among the alternates of the first one (RFC 8555 section 7.4.2). A
/// certificate is never discarded because of its chain.
Result<void> Journey::choose_chain()
{
    if (!task_.chain.given() || task_.chain.takes(kept_)) return {};
    for (std::size_t i = 0; i < std::min(alternates_.size(), kMostAlternates); ++i) {
        if (!client_.directory().owns(alternates_[i])) continue;
        Post post{Step::certificate, task_.identifiers.front().value, alternates_[i], ""};
        post.accept = "application/pem-certificate-chain";
        auto chain = fetch_chain(std::move(post));
        if (!chain && chain.error().code == Errc::interrupted) return fail(std::move(chain).error());
        if (!chain)
            client_.context().log(base::Level::warning,
                                  fmt::format("the chain {} is left out: {}", base::printable(alternates_[i]),
                                              chain.error().message));
        if (!chain || !task_.chain.takes(*chain)) continue;
        kept_ = std::move(*chain);
        return {};
    }
    client_.context().log(
        base::Level::warning,
        fmt::format("none of the CA's {} chains matches --preferred-chain; using the first, issued by {}",
                    alternates_.size() + 1, base::printable(kept_.back().issuer())));
    return {};
}

/// The certificate is on disk before anything else that may end the run.
Result<OrderOutcome> Journey::finish()
{
    if (kept_.empty()) kept_ = flow_.chain();
    if (kept_.empty()) return outcome(false, std::nullopt); // an earlier step was the goal
    const auto keep = [&]() -> Result<void> {
        auto text = crypto::to_pem(kept_);
        if (base::string_member(entry_, "certificate") == text) return {};
        entry_["certificate"] = std::move(text);
        entry_["alternates"] = alternates_;
        return save();
    };
    ACMETOOL_CHECK(keep());
    ACMETOOL_CHECK(choose_chain());
    ACMETOOL_CHECK(keep());
    return outcome(false, std::nullopt);
}

/// Adds the errors of failed authorizations to an invalid order's error.
Error Journey::explain(Error error)
{
    std::size_t explained = 0;
    for (const auto& url : flow_.order().authorizations) {
        if (explained == kMostExplained) break;
        const auto authorization = client_.fetch_authorization(url, scope_of_order(task_.identifiers));
        if (!authorization || authorization->status == "valid" || authorization->status == "pending")
            continue;
        error.message += fmt::format("; {}: {}", authorization->identifier, authorization->why_not_valid());
        ++explained;
    }
    return error;
}

Result<OrderOutcome> Journey::drive()
{
    for (;;) {
        auto action = flow_.next(client_.directory());
        if (!action) {
            if (flow_.order().status == "invalid") {
                client_.state().erase(key_); // it cannot succeed
                return fail(explain(std::move(action).error()));
            }
            return fail(std::move(action).error());
        }
        if (const auto* send_action = std::get_if<OrderFlow::Send>(&*action)) {
            // newOrder until its URL is stored is one step under the lock, so that an order without an entry
            // is certainly an orphan.
            store::FileLock placing;
            if (send_action->post.step == Step::new_order) {
                ACMETOOL_TRY(lock, client_.state().lock(kPlacing, client_.context()));
                placing = std::move(lock);
            }
            if (auto taken = flow_.take(send(send_action->post), client_.context().now()); !taken) {
                // RFC 8555 section 7.1.3: a changed order is treated as invalid; the next run starts again.
                if (taken.error().reason == Cause::order_changed) client_.state().erase(key_);
                return fail(std::move(taken).error());
            }
        } else if (const auto* pause = std::get_if<OrderFlow::Pause>(&*action)) {
            ACMETOOL_TRY(
                waited, client_.pause(pause->duration, "the CA to issue for " + names_of(task_.identifiers)));
            if (!waited) return outcome(true, std::chrono::ceil<std::chrono::seconds>(pause->duration));
        } else if (const auto* authorize_action = std::get_if<OrderFlow::Authorize>(&*action)) {
            ACMETOOL_TRY(done, authorize(authorize_action->authorizations));
            if (!done) return outcome(true, std::nullopt);
            flow_.authorized();
        } else {
            return finish();
        }
    }
}

/// True if the order of an earlier run cannot be finished, so that a new order should be tried once: it
/// expired, as its certificate may have, failed, or is unknown to the CA, or it waits for separate
/// authorizations although the names or a parent may have been authorized since. Only a new order can use
/// these.
bool Journey::of_no_use(const Error& error)
{
    if (error.code == Errc::authorization_needed) return task_.solver == nullptr;
    const auto fate = flow_.fate(error);
    if (fate != OrderFlow::Fate::doubtful) return fate == OrderFlow::Fate::lost;
    return account_is_valid(client_.post(Post{Step::account, {}, client_.account_url(), ""}));
}

Result<OrderOutcome> Journey::go()
{
    const auto lock = client_.state().lock(key_, client_.context());
    if (!lock) return fail(lock.error());
    ACMETOOL_CHECK(pick_up());
    if (!kept_.empty()) return finish();
    auto result = drive();
    const bool is_old = result && !result->chain.empty() && !is_fresh(result->chain.front());
    if (resumed_ && (result ? is_old : of_no_use(result.error()))) {
        client_.context().log(
            base::Level::detail,
            fmt::format("the order of the earlier run cannot be used ({}); creating a new one",
                        result ? "a third of its certificate's life is over" : result.error().message));
        kept_.clear();
        entry_ = Json::object();
        alternates_.clear();
        resumed_ = false;
        flow_ = OrderFlow{request_of(task_), task_.goal};
        result = drive();
    }
    // Its certificate has expired: else newOrder would hand out the order of this document again and again.
    if (!result && task_.order && flow_.order().status == "valid" &&
        flow_.fate(result.error()) == OrderFlow::Fate::lost)
        forget(client_.state(), key_.id, task_.order->url);
    if (!result) return result;
    if (!result->chain.empty()) {
        const auto begins = result->chain.front().not_before();
        if (begins > client_.context().now() + kClockTolerance)
            client_.context().log(base::Level::warning,
                                  fmt::format("the certificate is not valid before {}, but the time of this "
                                              "host is {}: one of the clocks is wrong",
                                              base::to_rfc3339(begins),
                                              base::to_rfc3339(client_.context().now())));
    }
    return result;
}

} // namespace

Result<std::vector<std::string>> listed_orders(Client& client, std::size_t most)
{
    std::vector<std::string> urls;
    ACMETOOL_TRY(reply, client.post(Post{Step::account, {}, client.account_url(), ""}));
    ACMETOOL_TRY(account, base::parse_json_object(reply.body, "account"));
    auto next = base::string_member(account, "orders");
    for (std::size_t pages = 0;
         next && pages < kMostPages && urls.size() < most && client.directory().owns(*next); ++pages) {
        ACMETOOL_TRY(page, client.post(Post{Step::orders, {}, *next, ""}));
        ACMETOOL_TRY(object, base::parse_json_object(page.body, "orders"));
        if (const auto list = object.find("orders"); list != object.end() && list->is_array())
            for (const auto& url : *list)
                if (url.is_string()) urls.push_back(url.get<std::string>());
        next.reset();
        for (const auto& [relation, target] : page.links)
            if (relation == "next") next = target;
    }
    return urls;
}

Result<OrderOutcome> carry_out(Client& client, OrderTask task)
{
    if (task.csr.key.same_public_key(client.key()))
        return fail(Errc::bad_input, "the CSR's key is the account's key",
                    "use a separate key for the certificate (RFC 8555 section 11.1)", "accountKeyInCsr");
    if (!task.profile.empty() && !client.directory().profiles.contains(task.profile)) {
        std::vector<std::string> offered;
        for (const auto& [name, description] : client.directory().profiles)
            offered.push_back(description.empty() ? name : fmt::format("{} ({})", name, description));
        return fail(Errc::bad_input, fmt::format("the CA does not offer the profile \"{}\"", task.profile),
                    offered.empty() ? "this CA offers no profiles" : "it offers " + base::join(offered, ", "),
                    "invalidProfile");
    }
    return Journey{client, std::move(task)}.go();
}

void delivered(Client& client, const OrderOutcome& outcome)
{
    auto& state = client.state();
    auto url = outcome.order.url;
    if (const auto own = state.load({"orders", outcome.entry_id}); url.empty() && own && *own)
        url = base::string_member(**own, "url").value_or("");
    forget(state, outcome.entry_id, url);
}

std::vector<KeptOrder> kept_orders(const StateDirectory& state)
{
    std::vector<KeptOrder> kept;
    for (const auto& id : state.list("orders")) {
        const auto entry = state.load({"orders", id});
        if (!entry || !*entry) continue;
        KeptOrder order{id,
                        {},
                        base::string_member(**entry, "url").value_or(""),
                        time_member(**entry, "intended"),
                        (*entry)->contains("certificate")};
        if (const auto list = (*entry)->find("identifiers"); list != (*entry)->end() && list->is_array())
            for (const auto& one : *list)
                order.identifiers.push_back({base::string_member(one, "type").value_or(""),
                                             base::string_member(one, "value").value_or("")});
        kept.push_back(std::move(order));
    }
    return kept;
}

Json order_document(const Order& order, const crypto::Csr& csr, const std::string& path)
{
    const auto parsed = base::parse_json_object(order.raw, "order");
    Json object = parsed ? *parsed : Json::object();
    object["url"] = order.url;
    object["csr"] = csr.to_pem();
    object.erase("path"); // a member of the CA's own
    if (!path.empty()) object["path"] = path;
    return object;
}

Result<OrderTask> parse_order_document(std::string_view json, const Directory& directory)
{
    constexpr const char* kHint = "expected the JSON document printed by the previous step of acme-order";
    const auto bad = [&](Error error) {
        error.code = Errc::bad_input;
        error.hint = kHint;
        error.reason = "notADocument";
        return fail(std::move(error));
    };
    const auto object = base::parse_json_object(json, "order document");
    if (!object) return bad(object.error());
    if (base::string_member(*object, "type") != "order")
        return fail(Errc::bad_input,
                    fmt::format("expected a document of type \"order\", not \"{}\"",
                                base::printable(base::string_member(*object, "type").value_or(""), 50)),
                    kHint, "notADocument");
    const auto url = base::required_string(*object, "url", "order document");
    if (!url) return bad(url.error());
    const auto csr_pem = base::required_string(*object, "csr", "order document");
    if (!csr_pem) return bad(csr_pem.error());
    ACMETOOL_TRY(csr, crypto::parse_csr(*csr_pem));
    ACMETOOL_TRY(identifiers, crypto::require_identifiers(csr));
    auto order = parse_order(json, *url);
    if (!order) return bad(order.error());
    auto urls = order->authorizations;
    urls.insert(urls.end(), {*url, order->finalize, order->certificate});
    for (const auto& listed : urls)
        if (!listed.empty() && !directory.owns(listed))
            return fail(
                Errc::bad_input,
                fmt::format("order document: {} is not a URL of {}", base::printable(listed), directory.url),
                "the document and the account belong to different CAs: use the account that created the "
                "document",
                "foreignUrl");
    if (order->identifiers != identifiers)
        return fail(Errc::bad_input, "order document: the names of the CSR differ from those of the order",
                    kHint, "csrNames");
    OrderTask task;
    task.csr = std::move(csr);
    task.identifiers = std::move(identifiers);
    task.order = std::move(*order);
    const auto path = base::string_member(*object, "path").value_or("");
    if (path == "preauthorized" || path == "order" || path == "ancestor") task.path = path;
    return task;
}

Json certificate_document(const std::vector<crypto::Certificate>& chain)
{
    const auto& leaf = chain.front();
    Json object{{"certificate", leaf.to_pem()},
                {"chain", crypto::to_pem({chain.begin() + 1, chain.end()})},
                {"fullchain", crypto::to_pem(chain)},
                {"serial", leaf.serial()},
                {"notBefore", base::to_rfc3339(leaf.not_before())},
                {"notAfter", base::to_rfc3339(leaf.not_after())},
                {"identifiers", to_json(leaf.identifiers())}};
    if (const auto id = certificate_id(leaf)) object["certID"] = *id;
    return object;
}

} // namespace acmetool::acme
