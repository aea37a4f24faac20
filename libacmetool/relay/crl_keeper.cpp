#include "relay/crl_keeper.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <mutex>
#include <set>
#include <utility>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "base/worker.h"
#include "crypto/digest.h"
#include "http/client.h"
#include "ra/stoppable_context.h"
#include "store/atomic_file.h"
#include "store/configured.h"

namespace acmetool::relay
{
namespace
{

using base::Json;
using Clock = base::Worker::Clock;

constexpr std::size_t kLargestCrl = 16U << 20U;
constexpr std::chrono::seconds kShortestPause{60};
constexpr std::chrono::seconds kLongestPause{3600};
constexpr std::chrono::minutes kClockSkew{5};

/// One file or URL. Belongs to the keeper's thread.
struct CrlSource {
    std::string name;
    std::vector<crypto::Crl> crls;
    std::string last_modified;
    std::chrono::seconds pause = kShortestPause; ///< after a failure
    std::string problem;                         ///< empty: all its CRLs are current
};

std::vector<crypto::Certificate> known_issuers(const Config& config)
{
    auto files = config.ra.idevid.trust;
    files.insert(files.end(), config.ra.issued.trust.begin(), config.ra.issued.trust.end());
    for (const auto* more : {&config.ra.cacerts.roots, &config.ra.cacerts.intermediates})
        files.insert(files.end(), more->begin(), more->end());
    for (const auto& one : config.ra.idevid.manufacturers)
        if (one.trusted) files.insert(files.end(), one.trust.begin(), one.trust.end());
    for (const auto& manufacturer : config.brski.manufacturers)
        files.insert(files.end(), manufacturer.trust.begin(), manufacturer.trust.end());
    std::vector<crypto::Certificate> known;
    for (const auto& file : files)
        if (const auto found = store::read_configured_certificates(file))
            known.insert(known.end(), found->begin(), found->end());
    return known;
}

/// The issuer may be an intermediate that only devices present: then their path decides.
Result<void> check_signature(const crypto::Crl& crl, const std::vector<crypto::Certificate>& issuers)
{
    bool named = false;
    for (const auto& issuer : issuers) {
        if (!crl.has_issuer(issuer)) continue;
        if (crl.is_signed_by(issuer)) return {};
        named = true;
    }
    if (!named) return {};
    return fail(Errc::protocol, fmt::format("the signature of the CRL is not by {}", crl.issuer()));
}

/// A CRL of the future would make all that follow look old.
Result<void> check_order(const crypto::Crl& crl, const std::vector<crypto::Crl>& before, base::TimePoint now)
{
    if (crl.this_update() > now + kClockSkew)
        return fail(Errc::protocol, fmt::format("the CRL of {} is from {}, which is in the future",
                                                crl.issuer(), base::to_rfc3339(crl.this_update())));
    for (const auto& old : before)
        if (old.this_update() <= now + kClockSkew && old.issuer() == crl.issuer() &&
            crl.this_update() < old.this_update())
            return fail(Errc::protocol, fmt::format("the CRL of {} from {} is older than the one before",
                                                    crl.issuer(), base::to_rfc3339(crl.this_update())));
    return {};
}

std::string problem_of(const std::vector<crypto::Crl>& crls, base::TimePoint now)
{
    if (crls.empty()) return "no CRL was obtained yet";
    for (const auto& crl : crls)
        if (!crl.is_current(now))
            return fmt::format("the CRL of {} is valid only from {} until {}",
                               base::printable(crl.issuer(), 200), base::to_rfc3339(crl.this_update()),
                               base::to_rfc3339(crl.next_update()));
    return {};
}

base::TimePoint first_end(const std::vector<crypto::Crl>& crls)
{
    auto end = base::TimePoint::max();
    for (const auto& crl : crls)
        end = std::min(end, crl.next_update());
    return end;
}

} // namespace

std::vector<CrlGroup> crl_groups(const Config& config)
{
    std::vector<CrlGroup> groups;
    for (const auto& manufacturer : config.brski.manufacturers)
        groups.push_back({"manufacturer " + base::printable(manufacturer.name, 60), manufacturer.crl});
    groups.push_back({"clients.idevid", config.ra.idevid.crl});
    groups.push_back({"clients.issued", config.ra.issued.crl});
    std::set<std::string> seen;
    for (auto& group : groups)
        std::erase_if(group.crl.sources, [&seen](const auto& source) { return !seen.insert(source).second; });
    return groups;
}

std::string crl_copy(const Config& config, const std::string& url)
{
    const auto name = "crl-" + to_hex(crypto::sha256(as_bytes(url))).substr(0, 32);
    const auto& store = config.ra.store;
    return store.is_shared() ? (std::filesystem::path{config.crl_folder} / name).string()
                             : fmt::format("{}.{}", store.sqlite, name);
}

Result<FetchedCrl> fetch_crl(const std::string& url, const std::string& if_modified_since,
                             base::Context& context)
{
    http::ClientOptions options;
    options.allow_plain_http = true;
    options.body_limit = kLargestCrl;
    http::Client client{options, context};
    http::Request request{http::Method::get, url, {}, {}};
    if (!if_modified_since.empty()) request.headers.emplace_back("If-Modified-Since", if_modified_since);
    ACMETOOL_TRY(reply, client.send(request));
    if (reply.status == 304) return FetchedCrl{{}, if_modified_since};
    if (reply.status != 200) return fail(Errc::unavailable, fmt::format("{}: status {}", url, reply.status));
    ACMETOOL_TRY(crls, crypto::parse_crls(reply.body, url));
    return FetchedCrl{std::move(crls), std::string{http::find(reply.headers, "last-modified").value_or("")}};
}

struct CrlKeeper::Impl {
    explicit Impl(enrol::EventSink& sink) : events(sink) {}

    void begin(const std::shared_ptr<const Config>& next);
    void look(std::size_t number);
    Result<void> fetch(CrlSource& source);
    void judge(CrlSource& source);
    void tell(const char* level, const std::string& source, const std::string& text)
    {
        events.event(
            {{"event", "crl"}, {"level", level}, {"source", base::printable(source)}, {"text", text}});
    }

    enrol::EventSink& events;
    const std::shared_ptr<crypto::FetchedCrls> fetched = std::make_shared<crypto::FetchedCrls>();
    ra::StopSignal stopping;
    mutable std::mutex mutex; ///< of `shown`
    std::vector<CrlSource> shown;

    // On the worker.
    std::shared_ptr<const Config> config;
    std::vector<crypto::Certificate> issuers;
    std::vector<CrlSource> sources;
    std::vector<base::Worker::Timer> timers;
    base::Worker worker{"crl"}; ///< stopped before anything is destroyed
};

void CrlKeeper::Impl::begin(const std::shared_ptr<const Config>& next)
{
    for (const auto timer : timers)
        worker.cancel(timer);
    config = next;
    issuers = known_issuers(*config);
    const auto before = std::exchange(sources, {});
    for (const auto& group : crl_groups(*config))
        for (const auto& name : group.crl.sources) {
            CrlSource source;
            source.name = name;
            if (crypto::is_crl_url(name)) {
                source.crls = fetched->get(name);
                for (const auto& old : before)
                    if (old.name == name) source.last_modified = old.last_modified;
            } else if (auto read = store::read_configured_crls(name)) {
                source.crls = std::move(*read);
            }
            sources.push_back(std::move(source));
        }
    timers.assign(sources.size(), 0);
    for (std::size_t number = 0; number < sources.size(); ++number)
        look(number);
}

Result<void> CrlKeeper::Impl::fetch(CrlSource& source)
{
    ra::StoppableContext context{stopping};
    ACMETOOL_TRY(got,
                 fetch_crl(source.name, source.crls.empty() ? std::string{} : source.last_modified, context));
    if (got.crls.empty()) return {};
    for (const auto& crl : got.crls) {
        ACMETOOL_CHECK(check_signature(crl, issuers));
        ACMETOOL_CHECK(check_order(crl, source.crls, context.now()));
    }
    source.crls = std::move(got.crls);
    source.last_modified = std::move(got.last_modified);
    fetched->put(source.name, source.crls);
    std::string copy;
    for (const auto& crl : source.crls)
        copy += crl.to_pem();
    if (auto saved =
            store::write_atomically(crl_copy(*config, source.name), copy, 0644, store::Durability::cache);
        !saved)
        tell("warning", source.name, "no copy for the next start: " + saved.error().message);
    return {};
}

/// Tells what has changed.
void CrlKeeper::Impl::judge(CrlSource& source)
{
    auto problem = problem_of(source.crls, base::now());
    if (problem != source.problem)
        tell(problem.empty() ? "info" : "warning", source.name, problem.empty() ? "current again" : problem);
    source.problem = std::move(problem);
    const std::lock_guard lock{mutex};
    shown = sources;
}

void CrlKeeper::Impl::look(std::size_t number)
{
    if (stopping.requested()) return;
    auto& source = sources[number];
    const bool is_url = crypto::is_crl_url(source.name);
    bool failed = false;
    if (is_url) {
        const auto done = fetch(source);
        if (stopping.requested()) return;
        failed = !done;
        if (failed) tell("warning", source.name, done.error().message);
    }
    judge(source);
    const auto left = std::chrono::duration_cast<std::chrono::seconds>(first_end(source.crls) - base::now());
    std::chrono::seconds pause = left + std::chrono::seconds{1};
    if (failed) {
        pause = source.pause;
        source.pause = std::min(2 * source.pause, kLongestPause);
    } else if (is_url) {
        pause = std::clamp(left / 2, kShortestPause, kLongestPause);
        source.pause = kShortestPause;
    } else if (left.count() < 0) {
        return; // until the next reload
    }
    timers[number] = worker.at(Clock::now() + std::min(pause, std::chrono::seconds{std::chrono::hours{24}}),
                               [this, number] { look(number); });
}

CrlKeeper::CrlKeeper(enrol::EventSink& events) : impl_(std::make_unique<Impl>(events)) {}

CrlKeeper::~CrlKeeper()
{
    impl_->stopping.request();
    impl_->worker.stop();
}

std::shared_ptr<const crypto::FetchedCrls> CrlKeeper::fetched() const
{
    return impl_->fetched;
}

void CrlKeeper::use(const Config& config)
{
    for (const auto& group : crl_groups(config))
        for (const auto& source : group.crl.sources) {
            if (!crypto::is_crl_url(source) || !impl_->fetched->get(source).empty()) continue;
            if (const auto text = store::read_file(crl_copy(config, source)))
                if (auto crls = crypto::parse_crls(*text, source))
                    impl_->fetched->put(source, std::move(*crls));
        }
    impl_->worker.post(
        [impl = impl_.get(), next = std::make_shared<const Config>(config)] { impl->begin(next); });
}

std::vector<std::string> CrlKeeper::problems() const
{
    const std::lock_guard lock{impl_->mutex};
    std::vector<std::string> problems;
    for (const auto& source : impl_->shown)
        if (!source.problem.empty())
            problems.push_back(fmt::format("{}: {}", base::printable(source.name), source.problem));
    return problems;
}

Json CrlKeeper::status() const
{
    const std::lock_guard lock{impl_->mutex};
    Json list = Json::array();
    for (const auto& source : impl_->shown) {
        Json one{{"source", base::printable(source.name)}, {"crls", Json::array()}};
        for (const auto& crl : source.crls)
            one["crls"].push_back({{"issuer", base::printable(crl.issuer())},
                                   {"thisUpdate", base::to_rfc3339(crl.this_update())},
                                   {"nextUpdate", base::to_rfc3339(crl.next_update())},
                                   {"entries", crl.size()}});
        if (!source.problem.empty()) one["error"] = source.problem;
        list.push_back(std::move(one));
    }
    return list;
}

} // namespace acmetool::relay
