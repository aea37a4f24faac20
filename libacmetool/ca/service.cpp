#include "ca/service_impl.h"

#include <algorithm>
#include <charconv>

#include <fmt/core.h>

#include "base/text.h"
#include "net/endpoint.h"
#include "store/special_file.h"

namespace acmetool::ca
{
namespace
{

constexpr std::pair<std::string_view, Resource> kResources[] = {{"directory", Resource::directory},
                                                                {"newNonce", Resource::new_nonce},
                                                                {"newAccount", Resource::new_account},
                                                                {"newAuthz", Resource::new_authz},
                                                                {"newOrder", Resource::new_order},
                                                                {"revokeCert", Resource::revoke_cert},
                                                                {"keyChange", Resource::key_change},
                                                                {"account", Resource::account},
                                                                {"orders", Resource::orders},
                                                                {"order", Resource::order},
                                                                {"finalize", Resource::finalize},
                                                                {"authz", Resource::authz},
                                                                {"challenge", Resource::challenge},
                                                                {"certificate", Resource::certificate},
                                                                {"crl", Resource::crl},
                                                                {"agree", Resource::agree},
                                                                {"renewalInfo", Resource::renewal_info}};

Resource resource_of(std::string_view name)
{
    for (const auto& [known, resource] : kResources)
        if (known == name) return resource;
    return Resource::unknown;
}

/// A bug answers 500, and the other requests of the transaction are not harmed.
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

/// Any problem, as the fault says.
tl::unexpected<Refusal> problem_at_will(const std::string& type)
{
    auto refusal = refuse(type == "rateLimited" ? 429 : 403, type, "the fault problem is on");
    refusal.value().lists_algorithms = type == "badSignatureAlgorithm";
    return refusal;
}

/// "from" in the query of a list of orders.
std::size_t first_order_of(const std::string& target)
{
    const auto cursor = target.find("?from=");
    return cursor == std::string::npos ? 0 : std::strtoul(target.c_str() + cursor + 6, nullptr, 10);
}

/// Read by GET and HEAD, without a signature.
bool is_open(Resource resource, const std::string& method)
{
    return resource == Resource::new_nonce ||
           (method == "GET" &&
            (resource == Resource::crl || resource == Resource::agree || resource == Resource::renewal_info));
}

Answer<ServerResponse> new_nonce(const ServerRequest& request)
{
    if (request.method == "HEAD") return ServerResponse{200, {}, {}, false};
    if (request.method == "GET") return ServerResponse{204, {}, {}, false};
    return refuse(405, "malformed", "newNonce takes HEAD and GET");
}

/// The parts of a path, and the resource that it names: the last part, or the first of several.
PendingPtr take_in(ServerRequest request, http::Responder respond, base::TimePoint now)
{
    auto pending = std::make_shared<PendingRequest>();
    const auto path = std::string_view{request.target}.substr(0, request.target.find('?'));
    for (const auto part : base::split(path.substr(std::min<std::size_t>(1, path.size())), '/'))
        pending->path.emplace_back(part);
    const auto& parts = pending->path;
    pending->name = parts.front();
    // order/ID/finalize and account/ID/orders
    if (parts.size() == 3 && (parts.front() == "order" || parts.front() == "account"))
        pending->name = parts[2];
    pending->resource = resource_of(pending->name);
    pending->log = {{"time", base::to_rfc3339(now)},
                    {"method", request.method},
                    {"resource", pending->name},
                    {"path", path},
                    {"peer", net::Endpoint{request.peer, request.peer_port}.text()}};
    pending->request = std::move(request);
    pending->respond = std::move(respond);
    return pending;
}

} // namespace

Service::Impl::Impl(ServiceOptions service_options, const Authority& the_authority, Faults& the_faults,
                    std::unique_ptr<store::Database> writer, std::unique_ptr<store::Database> reader)
    : options(std::move(service_options)), authority(the_authority), faults(the_faults),
      committed(std::move(reader)), database(*writer), records(database),
      commits(std::move(writer), "ca-store"), pool({.name = "ca-pool", .threads = kMostValidations + 1})
{
}

Service::Impl::~Impl()
{
    pool.stop();
    commits.stop();
}

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
    if (const auto persist = options.validation.dns_persist;
        persist == DnsPersist::hash || persist == DnsPersist::both) {
        meta["accountHashPrefix"] = url(kAccountHashPath);
        meta["issuerDomainNames"] = options.validation.issuer_domains;
    }
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

void Service::Impl::handle(ServerRequest request, http::Responder respond)
{
    const auto pending = take_in(std::move(request), std::move(respond), now());
    if (pending->resource == Resource::directory && pending->request.method == "GET") {
        auto response = directory(pending->request);
        faults.apply(pending->name, response);
        return pending->respond(std::move(response));
    }
    const auto seconds = faults.take_word("slow", pending->name);
    if (!seconds) return begin(pending);
    commits.worker().at(base::Worker::Clock::now() +
                            std::chrono::seconds{std::strtoul(seconds->c_str(), nullptr, 10)},
                        [this, pending] {
                            if (!pool.post([this, pending] { begin(pending); }))
                                answer(*pending, overloaded());
                        });
}

void Service::Impl::begin(const PendingPtr& pending)
{
    if (faults.take("reset", pending->name)) {
        ServerResponse dropped;
        dropped.drop = true;
        return pending->respond(std::move(dropped));
    }
    const auto admitted = without_throwing([&] { return admit(*pending); });
    if (!admitted) return answer(*pending, tl::unexpected(admitted.error()));
    if (pending->resource == Resource::new_nonce) return answer(*pending, new_nonce(pending->request));
    if (pending->resource != Resource::crl) return post(pending);
    if (!commits.worker().post([this, pending] { give_crl(pending); })) answer(*pending, overloaded());
}

void Service::Impl::post(const PendingPtr& pending)
{
    store::GroupCommit::Job job;
    job.run = [this, pending](store::Database&, store::GroupCommit::After& after) -> Result<void> {
        auto answered = without_throwing([&] { return dispatch(*pending); });
        // What a refused request changed is not kept.
        ACMETOOL_CHECK(answered ? records.keep() : records.discard());
        auto validations = std::exchange(asked_for, {});
        // A refusal waits for the commit like every answer: it may rest on what another request has changed.
        after.push_back(
            [this, pending, answered = std::move(answered), validations = std::move(validations)]() mutable {
                if (answered) {
                    for (auto& validation : validations)
                        schedule(std::move(validation));
                    if (pending->resource == Resource::revoke_cert) forget_crl();
                    if (pending->resource == Resource::key_change)
                        account_keys.forget(pending->signed_request->account);
                }
                answer(*pending, std::move(answered));
            });
        return {};
    };
    job.failed = [this, pending](const Error& error) {
        answer(*pending, database.check_place() ? broken(error) : store_gone());
    };
    if (!commits.post(std::move(job))) answer(*pending, overloaded());
}

void Service::Impl::answer(PendingRequest& pending, Answer<ServerResponse> answered)
{
    ServerResponse response;
    auto& log = pending.log;
    if (answered) {
        response = std::move(*answered);
    } else {
        const auto& refusal = answered.error();
        response = reply(refusal.status, problem_of(refusal));
        response.headers.front().second = "application/problem+json";
        if (refusal.retry_after) response.headers.emplace_back("Retry-After", *refusal.retry_after);
        for (const auto& header : refusal.headers)
            response.headers.push_back(header);
        log["problem"] = refusal.type;
        if (!refusal.cause.empty()) log["error"] = refusal.cause;
    }
    log["status"] = response.status;
    keep_log(log);
    finish(response, pending);
    pending.respond(std::move(response));
}

void Service::Impl::finish(ServerResponse& response, const PendingRequest& pending)
{
    if (pending.request.method == "POST" || pending.resource == Resource::new_nonce)
        response.headers.emplace_back("Replay-Nonce", nonces.make());
    response.headers.emplace_back("Cache-Control", "no-store");
    response.headers.emplace_back("Link", fmt::format("<{}>;rel=\"index\"", url("/directory")));
    faults.apply(pending.name, response);
}

Answer<void> Service::Impl::admit(PendingRequest& pending)
{
    const auto resource = pending.resource;
    const auto& method = pending.request.method;
    if (!committed.check_place()) return store_gone();
    const bool open =
        is_open(resource, method) && (resource != Resource::renewal_info || options.renewal_info);
    const bool is_signed =
        resource != Resource::unknown && resource != Resource::directory && !is_open(resource, "GET");
    if (!open && !is_signed) return refuse(404, "malformed", "no such resource");
    // RFC 8555 section 6.3: "Servers MUST ... return ... 405 (Method Not Allowed)" to a plain GET.
    if (!open && method != "POST") return refuse(405, "malformed", "resources are read by POST-as-GET");
    if (!open || resource == Resource::renewal_info)
        if (auto played = play_refusals(pending.name); !played) return played;
    if (open) return {};
    CA_TRY(verified, verify(pending));
    if (resource == Resource::finalize) verified.csr = parse_finalize(verified.payload);
    if (resource == Resource::key_change) verified.new_key = parse_key_change(verified.text);
    pending.signed_request = std::move(verified);
    return {};
}

Answer<ServerResponse> Service::Impl::dispatch_open(const PendingRequest& pending)
{
    return pending.resource == Resource::agree ? agree(pending.part(1)) : renewal_info(pending.part(1));
}

Answer<ServerResponse> Service::Impl::dispatch(PendingRequest& pending)
{
    if (!pending.signed_request) return dispatch_open(pending);
    const auto& request = *pending.signed_request;
    const auto id = pending.part(1);
    auto& log = pending.log;
    log["account"] = request.account;
    if (!request.account.empty()) {
        // The account may have been deactivated since its key was read, or have another one.
        CA_TRY(jwk, key_of(records.get("account", request.account)));
        if (jwk != request.account_jwk) return refuse(400, "malformed", "the signature does not verify");
    }
    switch (pending.resource) {
    case Resource::key_change:
        return key_change(request);
    case Resource::new_account:
        return new_account(request);
    case Resource::new_authz:
        return new_authz(request, log);
    case Resource::new_order:
        return new_order(request, log);
    case Resource::revoke_cert:
        return revoke(request);
    case Resource::account:
        return account(request, id);
    case Resource::orders:
        return orders(request, id, first_order_of(pending.request.target));
    case Resource::order:
        return order(request, id);
    case Resource::finalize:
        return finalize(request, id, log);
    case Resource::authz:
        return authz(request, id);
    case Resource::challenge:
        return challenge(request, id, pending.part(2));
    case Resource::certificate:
        return certificate(request, id, pending.part(2) == "alternate");
    default:
        return refuse(404, "malformed", "no such resource");
    }
}

Answer<void> Service::Impl::play_refusals(const std::string& resource)
{
    if (faults.take("serverError", resource))
        return refuse(500, "serverInternal", "the fault serverError is on");
    if (faults.take("notFound", resource)) return refuse(404, "malformed", "the fault notFound is on");
    if (const auto type = faults.take_word("problem", resource)) return problem_at_will(*type);
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
    ACMETOOL_TRY(writer, Records::open(options.database));
    ACMETOOL_TRY(reader, writer->reopen());
    auto impl =
        std::make_unique<Impl>(std::move(options), authority, faults, std::move(writer), std::move(reader));
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
    return std::unique_ptr<Service>{new Service(std::move(impl))};
}

std::vector<base::OutputHealth> Service::outputs() const
{
    if (!impl_->request_log) return {};
    return {impl_->request_log->health()};
}

std::optional<Error> Service::problem() const
{
    return impl_->commits.problem();
}

void Service::handle(http::ServerRequest request, http::Responder respond)
{
    impl_->handle(std::move(request), std::move(respond));
}

} // namespace acmetool::ca
