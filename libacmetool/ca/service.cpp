#include "ca/service_impl.h"

#include <algorithm>
#include <charconv>
#include <set>

#include <fmt/core.h>

#include "base/text.h"
#include "net/endpoint.h"
#include "store/special_file.h"

namespace acmetool::ca
{
namespace
{

constexpr unsigned kMostInGroup = 64;

/// Others may wait for this request to commit: it comes to its end even by way of a bug.
template <class Step>
auto without_throwing(Step step) -> decltype(step())
{
    try {
        return step();
    } catch (const std::exception&) {
        return refuse(500, "serverInternal", "internal error");
    }
}

/// What would be decided now, no other program saw, and nobody after a restart.
tl::unexpected<Refusal> store_gone()
{
    auto refusal =
        refuse(503, "serverInternal", "the CA's database was removed or replaced while it was open");
    refusal.value().retry_after = "30";
    return refusal;
}

/// Read by GET and HEAD, and nobody signs for them.
bool is_open(const std::string& resource, const std::string& method)
{
    return resource == "newNonce" ||
           (method == "GET" && (resource == "crl" || resource == "agree" || resource == "renewalInfo"));
}

} // namespace

base::TimePoint time_of(const Json& object, std::string_view member)
{
    const auto text = base::string_member(object, member);
    const auto time = base::parse_rfc3339(text.value_or(""));
    return time ? *time : base::TimePoint{};
}

ServerResponse Service::Impl::reply(int status, const Json& body, const std::string& location) const
{
    ServerResponse response{
        status, {{"Content-Type", "application/json"}}, base::to_text(body, 1) + "\n", false};
    if (!location.empty()) response.headers.emplace_back("Location", location);
    return response;
}

ServerResponse Service::Impl::directory(const ServerRequest& request) const
{
    const auto fault = faults.value("directory").value_or("");
    if (fault == "redirect" && request.target == "/directory")
        return {302, {{"Location", url("/directory?moved")}}, {}, false};
    Json object{{"newNonce", url("/newNonce")},
                {"newAccount", url("/newAccount")},
                {"newOrder", url("/newOrder")},
                {Records::new_id(), "https://unknown.keys.are.skipped.invalid"}};
    if (fault == "minimal") return reply(200, object);
    Json meta{{"website", "https://www.rfc-editor.org/rfc/rfc9444"}};
    if (options.subdomains == Subdomains::on) meta["subdomainAuthAllowed"] = true;
    if (!terms().empty()) meta["termsOfService"] = terms();
    if (options.external_binding == ExternalBinding::required) meta["externalAccountRequired"] = true;
    if (!options.validation.issuer_domains.empty()) meta["caaIdentities"] = options.validation.issuer_domains;
    for (const auto& profile : options.profiles)
        meta["profiles"][profile.name] = profile.description;
    object["meta"] = std::move(meta);
    object["revokeCert"] = url("/revokeCert");
    object["keyChange"] = url("/keyChange");
    if (options.renewal_info) object["renewalInfo"] = url("/renewalInfo");
    if (options.new_authz) object["newAuthz"] = url("/newAuthz");
    if (fault == "otherHost") object["newOrder"] = "https://elsewhere.invalid/newOrder";
    if (fault == "plainHttp") object["newOrder"] = "http" + url("/newOrder").substr(5);
    if (fault == "noNewAuthz") object.erase("newAuthz");
    return reply(200, object);
}

std::unique_lock<std::mutex> Service::Impl::enter()
{
    Arrival arrival{waiting};
    return enter(arrival);
}

std::unique_lock<std::mutex> Service::Impl::enter(Arrival& arrival)
{
    arrival.announce();
    std::unique_lock lock{mutex};
    arrival.over();
    return lock;
}

Result<void> Service::Impl::make_durable(std::unique_lock<std::mutex>& lock)
{
    if (!records.has_uncommitted()) return {};
    const auto mine = group;
    // Whoever waits for the mutex gets it next, and commits for all: the last one finds nobody waiting.
    if (++mine->size >= kMostInGroup || waiting == 0) {
        if (auto done = records.commit(); !done) mine->failure = std::move(done).error();
        mine->is_over = true;
        group = std::make_shared<Group>();
        group_over.notify_all();
    }
    group_over.wait(lock, [&] { return mine->is_over; });
    if (mine->failure) return fail(*mine->failure);
    return {};
}

ServerResponse Service::Impl::handle(const ServerRequest& request)
{
    const auto path = std::string_view{request.target}.substr(0, request.target.find('?'));
    std::vector<std::string> parts;
    for (const auto part : base::split(path.substr(std::min<std::size_t>(1, path.size())), '/'))
        parts.emplace_back(part);
    std::string resource = parts.front();
    if (resource == "order" && parts.size() == 3) resource = parts[2]; // order/ID/finalize
    if (resource == "account" && parts.size() == 3) resource = parts[2];

    if (resource == "directory" && request.method == "GET") {
        auto response = directory(request);
        faults.apply(resource, response);
        return response;
    }
    Json log{{"time", base::to_rfc3339(now())},
             {"method", request.method},
             {"resource", resource},
             {"path", path},
             {"peer", net::Endpoint{request.peer, request.peer_port}.text()}};
    ServerResponse response;
    if (const auto seconds = faults.take_word("slow", resource))
        std::this_thread::sleep_for(std::chrono::seconds{std::strtoul(seconds->c_str(), nullptr, 10)});
    if (faults.take("reset", resource)) {
        response.drop = true;
    } else {
        // Cryptography first, while others have the records.
        Arrival arrival{waiting};
        const auto admitted = without_throwing([&] { return admit(request, resource, arrival); });
        auto lock = enter(arrival);
        auto answer = without_throwing([&]() -> Answer<ServerResponse> {
            if (!records.check_place()) return store_gone();
            if (!admitted) return tl::unexpected(admitted.error());
            return dispatch(request, resource, parts, *admitted, log);
        });
        const auto jobs_of_request = std::exchange(asked_for, {});
        // What a refused request changed is not kept.
        if (const auto ended = answer ? records.keep() : records.discard(); !ended)
            answer = broken(ended.error());
        // A refusal waits too: it may rest on what another request has changed.
        if (const auto durable = make_durable(lock); !durable) answer = broken(durable.error());
        if (answer) {
            for (const auto& job : jobs_of_request)
                enqueue(job);
            response = std::move(*answer);
        } else {
            const auto& refusal = answer.error();
            response = reply(refusal.status, problem_of(refusal));
            response.headers.front().second = "application/problem+json";
            if (refusal.retry_after) response.headers.emplace_back("Retry-After", *refusal.retry_after);
            for (const auto& header : refusal.headers)
                response.headers.push_back(header);
            log["problem"] = refusal.type;
        }
        log["status"] = response.status;
        keep_log(log);
    }
    finish(response, resource, request);
    return response;
}

void Service::Impl::finish(ServerResponse& response, const std::string& resource,
                           const ServerRequest& request)
{
    if (request.method == "POST" || resource == "newNonce")
        response.headers.emplace_back("Replay-Nonce", nonces.make());
    response.headers.emplace_back("Cache-Control", "no-store");
    response.headers.emplace_back("Link", fmt::format("<{}>;rel=\"index\"", url("/directory")));
    faults.apply(resource, response);
}

Answer<std::optional<SignedRequest>> Service::Impl::admit(const ServerRequest& request,
                                                          const std::string& resource, Arrival& arrival)
{
    static const std::set<std::string, std::less<>> kResources{
        "newAccount", "newAuthz", "newOrder", "revokeCert", "keyChange", "account",
        "orders",     "order",    "finalize", "authz",      "challenge", "certificate"};
    const bool open =
        is_open(resource, request.method) && (resource != "renewalInfo" || options.renewal_info);
    if (!open && !kResources.contains(resource)) return refuse(404, "malformed", "no such resource");
    // RFC 8555 section 6.3: "Servers MUST ... return ... 405 (Method Not Allowed)" to a plain GET.
    if (!open && request.method != "POST")
        return refuse(405, "malformed", "resources are read by POST-as-GET");
    if (!open || resource == "renewalInfo")
        if (const auto played = play_refusals(resource); !played) return tl::unexpected(played.error());
    if (open) return std::optional<SignedRequest>{};
    CA_TRY(verified, verify(request, resource == "newAccount", resource == "revokeCert", arrival));
    if (resource == "finalize") verified.csr = parse_finalize(verified.payload);
    if (resource == "keyChange") verified.new_key = parse_key_change(verified.text);
    return std::optional{std::move(verified)};
}

Answer<ServerResponse> Service::Impl::dispatch(const ServerRequest& request, const std::string& resource,
                                               const std::vector<std::string>& path,
                                               const std::optional<SignedRequest>& admitted, Json& log)
{
    const std::string id = path.size() > 1 ? path[1] : "";
    if (!admitted) {
        if (resource == "crl") return crl();
        if (resource == "agree") return agree(id);
        if (resource == "renewalInfo") return renewal_info(id);
        if (request.method == "HEAD") return ServerResponse{200, {}, {}, false};
        if (request.method == "GET") return ServerResponse{204, {}, {}, false};
        return refuse(405, "malformed", "newNonce takes HEAD and GET");
    }
    const auto& signed_request = *admitted;
    log["account"] = signed_request.account;
    if (!signed_request.account.empty()) {
        // The account may have been deactivated since its key was read, or have another one.
        CA_TRY(jwk, key_of(signed_request.account));
        if (jwk != signed_request.account_jwk)
            return refuse(400, "malformed", "the signature does not verify");
    }
    if (resource == "keyChange") return key_change(signed_request);
    if (resource == "newAccount") return new_account(signed_request);
    if (resource == "newAuthz") return new_authz(signed_request, log);
    if (resource == "newOrder") return new_order(signed_request, log);
    if (resource == "revokeCert") return revoke(signed_request);
    if (resource == "account") return account(signed_request, id);
    if (resource == "orders") {
        const auto cursor = request.target.find("?from=");
        return orders(
            signed_request, id,
            cursor == std::string::npos ? 0 : std::strtoul(request.target.c_str() + cursor + 6, nullptr, 10));
    }
    if (resource == "order") return order(signed_request, id);
    if (resource == "finalize") return finalize(signed_request, id, log);
    if (resource == "authz") return authz(signed_request, id);
    if (resource == "challenge") return challenge(signed_request, id, path.size() > 2 ? path[2] : "");
    return certificate(signed_request, id, path.size() > 2 && path[2] == "alternate");
}

Answer<void> Service::Impl::play_refusals(const std::string& resource)
{
    if (faults.take("serverError", resource))
        return refuse(500, "serverInternal", "the fault serverError is on");
    if (faults.take("notFound", resource)) return refuse(404, "malformed", "the fault notFound is on");
    if (const auto type = faults.take_word("problem", resource))
        return refuse(*type == "rateLimited" ? 429 : 403, *type, "the fault problem is on");
    const bool unavailable = faults.take("unavailable", resource);
    const bool limited = (resource == "newOrder" || resource == "newAuthz" || resource == "newAccount") &&
                         faults.count_down("rateLimited");
    if (!unavailable && !limited) return {};
    auto refusal = refuse(unavailable ? 503 : 429, "rateLimited",
                          unavailable ? "the fault unavailable is on" : "the fault rateLimited is on");
    const auto wait = faults.value("retryAfter").value_or("30");
    if (wait != "none") refusal.value().retry_after = wait;
    return refusal;
}

Answer<Json> Service::Impl::owned(std::string_view kind, const std::string& id, const std::string& account)
{
    auto object = records.get(kind, id);
    if (!object) return broken(object.error());
    // The same answer for what is not there and what is another's.
    if (!*object || (kind != "account" && base::string_member(**object, "account") != account))
        return refuse(404, "malformed", fmt::format("no such {}", kind));
    return **object;
}

Result<CertificateProfile> parse_profile(std::string_view text)
{
    const auto equals = std::min(text.find('='), text.size());
    CertificateProfile profile;
    profile.name = text.substr(0, equals);
    const auto rest = text.substr(std::min(equals + 1, text.size()));
    const auto colon = std::min(rest.find(':'), rest.size());
    const auto lifetime = base::parse_duration(rest.substr(0, colon));
    if (profile.name.empty() || !lifetime)
        return fail(Errc::usage, fmt::format("profile \"{}\": not NAME=LIFETIME[:PURPOSE+PURPOSE]",
                                             base::printable(text, 60)));
    profile.lifetime = std::chrono::ceil<std::chrono::seconds>(*lifetime);
    if (colon < rest.size()) {
        profile.purposes.clear();
        for (const auto purpose : base::split(rest.substr(colon + 1), '+')) {
            if (purpose != "serverAuth" && purpose != "clientAuth")
                return fail(Errc::usage, fmt::format("profile \"{}\": purposes are serverAuth and clientAuth",
                                                     base::printable(text, 60)));
            profile.purposes += fmt::format("{}{}", profile.purposes.empty() ? "" : ",", purpose);
        }
    }
    profile.description = fmt::format("for {}, {}", base::describe(*lifetime), profile.purposes);
    return profile;
}

Result<RateLimit> parse_rate_limit(std::string_view text)
{
    const auto slash = std::min(text.find('/'), text.size());
    RateLimit limit;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + slash, limit.orders);
    const auto period = base::parse_duration(text.substr(std::min(slash + 1, text.size())));
    if (problem != std::errc{} || end != text.data() + slash || !period)
        return fail(Errc::usage, fmt::format("rate limit \"{}\": not ORDERS/DURATION, as in 5/1h",
                                             base::printable(text, 60)));
    limit.period = std::chrono::ceil<std::chrono::seconds>(*period);
    return limit;
}

Service::Service(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Service::~Service() = default;

Result<std::unique_ptr<Service>> Service::open(ServiceOptions options, const Authority& authority,
                                               Faults& faults)
{
    constexpr int kWorkers = 4;
    ACMETOOL_TRY(records, Records::open(options.database));
    auto impl = std::make_unique<Impl>(std::move(options), authority, faults, std::move(records));
    if (!impl->options.request_log.empty()) {
        const auto& path = impl->options.request_log;
        const auto file = std::make_shared<store::AppendedFile>(path);
        if (auto made = file->append("", nullptr); !made)
            return fail(with_context(std::move(made).error(), "request log"));
        impl->request_log = std::make_unique<base::OutputQueue>(
            "request log", store::is_special(path),
            [file](const std::string& line) { return file->append(line, nullptr).has_value(); },
            [](std::uint64_t count) {
                const auto time = base::to_rfc3339(base::Context{}.now());
                return base::to_text({{"time", time}, {"resource", "log"}, {"dropped", count}}) + "\n";
            });
    }
    ACMETOOL_CHECK(impl->resume());
    for (int i = 0; i < kWorkers; ++i)
        impl->workers.emplace_back([raw = impl.get()](const std::stop_token& stop) { raw->work(stop); });
    return std::unique_ptr<Service>{new Service(std::move(impl))};
}

std::vector<base::OutputHealth> Service::outputs() const
{
    if (!impl_->request_log) return {};
    return {impl_->request_log->health()};
}

http::ServerResponse Service::handle(const http::ServerRequest& request)
{
    return impl_->handle(request);
}

} // namespace acmetool::ca
