#include "ca/service.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <fstream>
#include <mutex>
#include <set>
#include <thread>

#include <fmt/core.h>
#include <nlohmann/json.hpp>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "base/json.h"
#include "base/text.h"
#include "ca/nonces.h"
#include "ca/records.h"
#include "crypto/csr.h"
#include "dns/name.h"
#include "jose/base64url.h"
#include "jose/jwk.h"
#include "jose/jws.h"

namespace acmetool::ca
{
namespace
{

using base::Json;
using http::ServerRequest;
using http::ServerResponse;

constexpr std::size_t kMostIdentifiers = 100;
constexpr std::size_t kOrdersPerPage = 100;
constexpr unsigned kMostInGroup = 64;

/// A problem on its way to the client (RFC 8555 section 6.7).
struct Refusal {
    int status;
    std::string type; ///< word without the URN
    std::string detail;
    Json subproblems = Json::array();
    std::optional<std::string> retry_after = {};
};

/// What a signed request turned out to be.
struct SignedRequest {
    Json payload; ///< null for POST-as-GET
    bool as_get = false;
    std::string account; ///< id; empty where signed by "jwk"
    crypto::Key key;
};

template <class T>
using Answer = tl::expected<T, Refusal>;

tl::unexpected<Refusal> refuse(int status, std::string type, std::string detail)
{
    return tl::unexpected<Refusal>(Refusal{status, std::move(type), std::move(detail)});
}

tl::unexpected<Refusal> broken(const Error& error)
{
    return refuse(500, "serverInternal", error.message);
}

#define CA_TRY(var, expr)                                                                                    \
    auto var##_answer = (expr);                                                                              \
    if (!var##_answer) return tl::unexpected(std::move(var##_answer).error());                               \
    auto& var = *var##_answer

#define CA_STORE(expr)                                                                                       \
    do {                                                                                                     \
        if (auto stored = (expr); !stored) return broken(stored.error());                                    \
    } while (false)

Json problem_of(const Refusal& refusal)
{
    Json object{{"type", "urn:ietf:params:acme:error:" + refusal.type},
                {"detail", refusal.detail},
                {"status", refusal.status}};
    if (!refusal.subproblems.empty()) object["subproblems"] = refusal.subproblems;
    // RFC 8555 section 6.2: "The problem document ... MUST include an "algorithms" field".
    if (refusal.type == "badSignatureAlgorithm")
        object["algorithms"] = {"ES256", "ES384", "ES512", "EdDSA", "RS256"};
    return object;
}

std::string sha256_url(std::string_view text)
{
    Bytes digest(32);
    EVP_Digest(text.data(), text.size(), digest.data(), nullptr, EVP_sha256(), nullptr);
    return jose::to_base64url(digest);
}

Answer<Json> checked_contact(const Json& contact)
{
    if (!contact.is_array()) return refuse(400, "malformed", "\"contact\" is no array");
    for (const auto& entry : contact)
        if (!entry.is_string() || !entry.get<std::string>().starts_with("mailto:"))
            return refuse(400, "unsupportedContact", "contacts are mailto: URLs");
    return contact;
}

base::TimePoint time_of(const Json& object, std::string_view member)
{
    const auto text = base::string_member(object, member);
    const auto time = base::parse_rfc3339(text.value_or(""));
    return time ? *time : base::TimePoint{};
}

} // namespace

struct Service::Impl {
    ServiceOptions options;
    const Authority& authority;
    Faults& faults;
    base::Context clock; ///< of the handlers
    Nonces nonces;
    std::mutex mutex; ///< records and everything that is decided by them
    Records records;

    /// Requests whose changes become durable with one commit: one fsync for all of them.
    struct Group {
        unsigned size = 0;
        bool is_over = false;
        std::optional<Error> failure;
    };
    std::shared_ptr<Group> group = std::make_shared<Group>();
    std::condition_variable group_over;
    std::atomic<unsigned> waiting{0}; ///< for the mutex, to read or change records
    std::ofstream request_log;

    /// A challenge to look at, in the background.
    struct Job {
        std::string authz;
        std::string type;
        std::chrono::steady_clock::time_point not_before;
    };
    std::vector<Job> asked_for; ///< by the request at hand; under `mutex`
    std::mutex jobs_mutex;
    std::condition_variable_any jobs_wake;
    std::deque<Job> jobs;
    std::vector<std::jthread> workers;

    Impl(ServiceOptions service_options, const Authority& the_authority, Faults& the_faults,
         Records the_records)
        : options(std::move(service_options)), authority(the_authority), faults(the_faults),
          records(std::move(the_records))
    {
    }

    std::string url(std::string_view path) const { return options.base_url + std::string{path}; }
    base::TimePoint now() const { return clock.now(); }

    /// Locks the records. Whoever enters calls make_durable() before the lock goes: others may wait for it.
    std::unique_lock<std::mutex> enter();
    /// Returns when everything that was changed so far, by this request or others, is on disk.
    Result<void> make_durable(std::unique_lock<std::mutex>& lock);

    // Requests
    ServerResponse handle(const ServerRequest& request);
    ServerResponse directory() const;
    Answer<ServerResponse> dispatch_without_throwing(const ServerRequest& request,
                                                     const std::string& resource,
                                                     const std::vector<std::string>& path, Json& log);
    Answer<ServerResponse> dispatch(const ServerRequest& request, const std::string& resource,
                                    const std::vector<std::string>& path, Json& log);
    Answer<SignedRequest> verify(const ServerRequest& request, bool by_jwk, bool either);
    void finish(ServerResponse& response, const std::string& resource, const ServerRequest& request);

    // Resources
    Answer<ServerResponse> new_account(const SignedRequest& request);
    Answer<ServerResponse> account(const SignedRequest& request, const std::string& id);
    Answer<ServerResponse> orders(const SignedRequest& request, const std::string& id, std::size_t from);
    Answer<ServerResponse> new_authz(const SignedRequest& request, Json& log);
    Answer<ServerResponse> new_order(const SignedRequest& request, Json& log);
    Answer<ServerResponse> order(const SignedRequest& request, const std::string& id);
    Answer<ServerResponse> finalize(const SignedRequest& request, const std::string& id, Json& log);
    Answer<ServerResponse> authz(const SignedRequest& request, const std::string& id);
    Answer<ServerResponse> challenge(const SignedRequest& request, const std::string& id,
                                     const std::string& type);
    Answer<ServerResponse> certificate(const SignedRequest& request, const std::string& id);
    Answer<ServerResponse> revoke(const SignedRequest& request);
    Answer<ServerResponse> crl();

    // Objects
    Answer<Json> owned(std::string_view kind, const std::string& id, const std::string& account);
    Answer<std::string> checked_name(const Json& identifier, bool allow_wildcard);
    Answer<std::string> make_authz(const std::string& account, const std::string& name, bool wildcard,
                                   bool subdomains);
    /// The id of a valid authorization that covers `name`; empty where there is none.
    Answer<std::string> covering_authz(const std::string& account, const std::string& name, bool wildcard);
    Answer<std::string> authz_for(const std::string& account, const Json& identifier);
    std::string authz_status(const Json& object) const;
    Answer<std::string> order_status(Json& object);
    Json show_authz(const std::string& id, const Json& object) const;
    Answer<Json> show_order(const std::string& id, Json object);
    Answer<std::string> issue(const std::string& account, const crypto::Csr& csr, const Json& order);
    ServerResponse reply(int status, const Json& body, const std::string& location = {}) const;

    // Validation
    void enqueue(Job job);
    void work(const std::stop_token& stop);
    void validate(const Job& job);
    Result<void> resume();
};

ServerResponse Service::Impl::reply(int status, const Json& body, const std::string& location) const
{
    ServerResponse response{
        status, {{"Content-Type", "application/json"}}, base::to_text(body, 1) + "\n", false};
    if (!location.empty()) response.headers.emplace_back("Location", location);
    return response;
}

ServerResponse Service::Impl::directory() const
{
    Json meta{{"website", "https://www.rfc-editor.org/rfc/rfc9444"}};
    if (options.subdomains == Subdomains::on) meta["subdomainAuthAllowed"] = true;
    if (!options.terms_of_service.empty()) meta["termsOfService"] = options.terms_of_service;
    Json object{
        {"newNonce", url("/newNonce")}, {"newAccount", url("/newAccount")},
        {"newOrder", url("/newOrder")}, {"revokeCert", url("/revokeCert")},
        {"meta", std::move(meta)},      {Records::new_id(), "https://unknown.keys.are.skipped.invalid"}};
    if (options.new_authz) object["newAuthz"] = url("/newAuthz");
    return reply(200, object);
}

// ----------------------------------------------------------------------------------------------------
// requests

std::unique_lock<std::mutex> Service::Impl::enter()
{
    ++waiting;
    std::unique_lock lock{mutex};
    --waiting;
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
        auto response = directory();
        faults.apply(resource, response);
        return response;
    }
    Json log{{"time", base::to_rfc3339(now())},
             {"method", request.method},
             {"resource", resource},
             {"path", path},
             {"peer", dns::Endpoint{request.peer, request.peer_port}.text()}};
    ServerResponse response;
    if (faults.take("reset", resource)) {
        response.drop = true;
    } else {
        auto lock = enter();
        auto answer = dispatch_without_throwing(request, resource, parts, log);
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
            log["problem"] = refusal.type;
        }
        log["status"] = response.status;
        if (request_log.is_open()) request_log << base::to_text(log) << std::endl;
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

/// Others may wait for this request to commit: it comes to its end even by way of a bug.
Answer<ServerResponse> Service::Impl::dispatch_without_throwing(const ServerRequest& request,
                                                                const std::string& resource,
                                                                const std::vector<std::string>& path,
                                                                Json& log)
{
    try {
        return dispatch(request, resource, path, log);
    } catch (const std::exception&) {
        return refuse(500, "serverInternal", "internal error");
    }
}

Answer<ServerResponse> Service::Impl::dispatch(const ServerRequest& request, const std::string& resource,
                                               const std::vector<std::string>& path, Json& log)
{
    if (resource == "newNonce") {
        if (request.method == "HEAD") return ServerResponse{200, {}, {}, false};
        if (request.method == "GET") return ServerResponse{204, {}, {}, false};
        return refuse(405, "malformed", "newNonce takes HEAD and GET");
    }
    if (resource == "crl" && request.method == "GET") return crl();
    static const std::set<std::string, std::less<>> kResources{
        "newAccount", "newAuthz", "newOrder", "revokeCert", "account",    "orders",
        "order",      "finalize", "authz",    "challenge",  "certificate"};
    if (!kResources.contains(resource)) return refuse(404, "malformed", "no such resource");
    // RFC 8555 section 6.3: "Servers MUST ... return ... 405 (Method Not Allowed)" to a plain GET.
    if (request.method != "POST") return refuse(405, "malformed", "resources are read by POST-as-GET");
    if (faults.take("serverError", resource))
        return refuse(500, "serverInternal", "the fault serverError is on");
    if (faults.take("notFound", resource)) return refuse(404, "malformed", "the fault notFound is on");
    if ((resource == "newOrder" || resource == "newAuthz" || resource == "newAccount") &&
        faults.count_down("rateLimited")) {
        auto refusal = refuse(429, "rateLimited", "the fault rateLimited is on");
        const auto wait = faults.value("retryAfter").value_or("30");
        if (wait != "none") refusal.value().retry_after = wait;
        return refusal;
    }
    CA_TRY(signed_request, verify(request, resource == "newAccount", resource == "revokeCert"));
    log["account"] = signed_request.account;
    const std::string id = path.size() > 1 ? path[1] : "";
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
    return certificate(signed_request, id);
}

Answer<SignedRequest> Service::Impl::verify(const ServerRequest& request, bool by_jwk, bool either)
{
    const auto type = http::find(request.headers, "content-type").value_or("");
    if (type.substr(0, type.find(';')) != "application/jose+json")
        return refuse(415, "malformed", "the content type has to be application/jose+json");
    auto jws = jose::parse_jws(request.body);
    if (!jws) return refuse(400, "malformed", jws.error().message);
    const Json& header = *jws->header;
    if (base::string_member(header, "url") != url(request.target))
        return refuse(401, "unauthorized", "\"url\" in the header is not the URL of the request");
    const bool has_jwk = header.contains("jwk");
    const bool has_kid = header.contains("kid");
    // RFC 8555 section 6.2: "The "jwk" and "kid" fields are mutually exclusive."
    if (has_jwk == has_kid || (has_jwk && !by_jwk && !either) || (has_kid && by_jwk))
        return refuse(400, "malformed",
                      by_jwk ? "this request is signed with \"jwk\"" : "this request is signed with \"kid\"");
    SignedRequest result;
    if (has_jwk) {
        auto key = jose::parse_jwk(header["jwk"]);
        if (!key) return refuse(400, "badPublicKey", key.error().message);
        result.key = *key;
    } else {
        const auto kid = base::string_member(header, "kid").value_or("");
        const auto prefix = url("/account/");
        if (!kid.starts_with(prefix))
            return refuse(400, "accountDoesNotExist", "\"kid\" is no account of this CA");
        result.account = kid.substr(prefix.size());
        auto stored = records.get("account", result.account);
        if (!stored) return broken(stored.error());
        if (!*stored) return refuse(400, "accountDoesNotExist", "\"kid\" is no account of this CA");
        if ((**stored)["status"] != "valid") return refuse(401, "unauthorized", "the account is deactivated");
        auto key = jose::parse_jwk((**stored)["jwk"]);
        if (!key) return broken(key.error());
        result.key = *key;
    }
    const auto algorithm = jose::algorithm_of(result.key);
    if (!algorithm || base::string_member(header, "alg") != *algorithm)
        return refuse(400, "badSignatureAlgorithm", "\"alg\" does not fit the key");
    if (!jose::verify(*jws, result.key)) return refuse(400, "malformed", "the signature does not verify");
    // Last, so that junk costs nobody a nonce.
    unsigned char dice = 0;
    RAND_bytes(&dice, 1);
    if (!nonces.use(base::string_member(header, "nonce").value_or("")) ||
        dice * 100U / 256U < faults.number("badNonce"))
        return refuse(400, "badNonce", "the nonce is not one of ours, or was used");
    result.as_get = jws->payload.empty();
    if (!result.as_get) {
        auto payload = base::parse_json_object(as_text(jws->payload), "payload");
        if (!payload) return refuse(400, "malformed", payload.error().message);
        result.payload = std::move(*payload);
    }
    return result;
}

// ----------------------------------------------------------------------------------------------------
// accounts

Answer<ServerResponse> Service::Impl::new_account(const SignedRequest& request)
{
    const auto thumbprint = jose::thumbprint(request.key);
    if (!thumbprint) return refuse(400, "badPublicKey", thumbprint.error().message);
    auto known = records.find("account", "", *thumbprint);
    if (!known) return broken(known.error());
    const auto show = [&](int status, const std::string& id, Json object) {
        object.erase("jwk");
        if (!faults.value("noOrdersList")) object["orders"] = url(fmt::format("/account/{}/orders", id));
        return reply(status, object, url("/account/" + id));
    };
    if (!known->empty()) {
        if (known->front().second["status"] != "valid")
            return refuse(401, "unauthorized", "the account is deactivated");
        return show(200, known->front().first, known->front().second);
    }
    if (base::bool_member(request.payload, "onlyReturnExisting", false))
        return refuse(400, "accountDoesNotExist", "no account has this key");
    if (!options.terms_of_service.empty() &&
        !base::bool_member(request.payload, "termsOfServiceAgreed", false))
        return refuse(403, "userActionRequired", "the terms of service have to be agreed to");
    Json object{{"status", "valid"}, {"contact", Json::array()}};
    if (const auto contact = request.payload.find("contact"); contact != request.payload.end()) {
        CA_TRY(checked, checked_contact(*contact));
        object["contact"] = checked;
    }
    const auto jwk = jose::to_jwk(request.key);
    if (!jwk) return refuse(400, "badPublicKey", jwk.error().message);
    object["jwk"] = *jwk;
    const auto id = Records::new_id();
    CA_STORE(records.put("account", id, id, *thumbprint, object));
    return show(201, id, object);
}

Answer<ServerResponse> Service::Impl::account(const SignedRequest& request, const std::string& id)
{
    if (id != request.account) return refuse(403, "unauthorized", "that is another account");
    CA_TRY(object, owned("account", id, id));
    if (!request.as_get) {
        if (base::string_member(request.payload, "status") == "deactivated") object["status"] = "deactivated";
        if (const auto contact = request.payload.find("contact"); contact != request.payload.end()) {
            CA_TRY(checked, checked_contact(*contact));
            object["contact"] = checked;
        }
        const auto thumbprint = jose::thumbprint(request.key);
        if (!thumbprint) return broken(thumbprint.error());
        CA_STORE(records.put("account", id, id, *thumbprint, object));
    }
    Json shown = object;
    shown.erase("jwk");
    if (!faults.value("noOrdersList")) shown["orders"] = url(fmt::format("/account/{}/orders", id));
    return reply(200, shown);
}

Answer<ServerResponse> Service::Impl::orders(const SignedRequest& request, const std::string& id,
                                             std::size_t from)
{
    if (id != request.account) return refuse(403, "unauthorized", "that is another account");
    auto found = records.find("order", id, "");
    if (!found) return broken(found.error());
    Json list = Json::array();
    const std::size_t page =
        faults.number("ordersPerPage") > 0 ? faults.number("ordersPerPage") : kOrdersPerPage;
    for (std::size_t i = from; i < found->size() && list.size() < page; ++i)
        list.push_back(url("/order/" + (*found)[i].first));
    auto response = reply(200, {{"orders", list}});
    if (from + list.size() < found->size())
        response.headers.emplace_back("Link", fmt::format("<{}?from={}>;rel=\"next\"",
                                                          url(fmt::format("/account/{}/orders", id)),
                                                          from + list.size()));
    return response;
}

// ----------------------------------------------------------------------------------------------
// authorizations

Answer<Json> Service::Impl::owned(std::string_view kind, const std::string& id, const std::string& account)
{
    auto object = records.get(kind, id);
    if (!object) return broken(object.error());
    // The same answer for what is not there and what is another's.
    if (!*object || (kind != "account" && base::string_member(**object, "account") != account))
        return refuse(404, "malformed", fmt::format("no such {}", kind));
    return **object;
}

Answer<std::string> Service::Impl::checked_name(const Json& identifier, bool allow_wildcard)
{
    if (base::string_member(identifier, "type") != "dns")
        return refuse(400, "unsupportedIdentifier", "identifiers are of type dns");
    const auto value = base::string_member(identifier, "value").value_or("");
    const auto name = dns::normalize_name(value, {allow_wildcard});
    if (!name) return refuse(400, "rejectedIdentifier", name.error().message);
    if (name->find('.') == std::string::npos)
        return refuse(400, "rejectedIdentifier", *name + ": a single label");
    return *name;
}

std::string Service::Impl::authz_status(const Json& object) const
{
    auto status = object.at("status").get<std::string>();
    if ((status == "valid" || status == "pending") && time_of(object, "expires") <= now()) return "expired";
    return status;
}

Json Service::Impl::show_authz(const std::string& id, const Json& object) const
{
    Json challenges = Json::array();
    if (!faults.value("emptyChallenges"))
        for (const auto& challenge : object.at("challenges")) {
            Json shown = challenge;
            shown["url"] = url(fmt::format("/challenge/{}/{}", id, challenge.at("type").get<std::string>()));
            challenges.push_back(std::move(shown));
        }
    Json shown{{"status", authz_status(object)},
               {"expires", object.at("expires")},
               {"identifier", {{"type", "dns"}, {"value", object.at("name")}}},
               {"challenges", std::move(challenges)}};
    if (base::bool_member(object, "wildcard", false)) shown["wildcard"] = true;
    const auto flag = faults.value("subdomainFlag");
    if (base::bool_member(object, "subdomains", false) && flag != "absent")
        shown["subdomainAuthAllowed"] = flag != "false";
    if (faults.value("otherIdentifier")) shown["identifier"]["value"] = "other.invalid";
    return shown;
}

Answer<std::string> Service::Impl::make_authz(const std::string& account, const std::string& name,
                                              bool wildcard, bool subdomains)
{
    const auto token = Records::new_id() + Records::new_id();
    Json challenges = Json::array({{{"type", "dns-01"}, {"status", "pending"}, {"token", token}}});
    // One file at one host says nothing of the names below it.
    if (!wildcard && !subdomains)
        challenges.push_back({{"type", "http-01"}, {"status", "pending"}, {"token", token}});
    const Json object{
        {"account", account},
        {"name", name},
        {"status", "pending"},
        {"expires", base::to_rfc3339(now() + std::min(options.authz_lifetime,
                                                      std::chrono::seconds{std::chrono::hours{24 * 7}}))},
        {"wildcard", wildcard},
        {"subdomains", subdomains},
        {"challenges", challenges}};
    const auto id = Records::new_id();
    CA_STORE(records.put("authz", id, account, name, object));
    return id;
}

Answer<std::string> Service::Impl::covering_authz(const std::string& account, const std::string& name,
                                                  bool wildcard)
{
    // The name itself, then each of its ancestors that was authorized with its subdomains.
    for (std::string candidate = name;;) {
        auto found = records.find("authz", account, candidate);
        if (!found) return broken(found.error());
        for (const auto& [id, object] : *found) {
            const bool itself = candidate == name && base::bool_member(object, "wildcard", false) == wildcard;
            const bool subdomains = base::bool_member(object, "subdomains", false) && !wildcard &&
                                    options.subdomains != Subdomains::off;
            if (authz_status(object) == "valid" && (itself || subdomains)) return id;
        }
        const auto dot = candidate.find('.');
        if (dot == std::string::npos) return std::string{};
        candidate.erase(0, dot + 1);
    }
}

Answer<std::string> Service::Impl::authz_for(const std::string& account, const Json& identifier)
{
    CA_TRY(full, checked_name(identifier, true));
    const bool wildcard = full.starts_with("*.");
    const std::string name = wildcard ? full.substr(2) : full;
    CA_TRY(covering, covering_authz(account, name, wildcard));
    if (!covering.empty()) return covering;
    const auto ancestor = base::string_member(identifier, "ancestorDomain");
    if (!ancestor || wildcard || options.subdomains == Subdomains::off)
        return make_authz(account, name, wildcard, false);
    CA_TRY(parent, checked_name({{"type", "dns"}, {"value", *ancestor}}, false));
    // RFC 9444 section 4.3: "This is an ancestor domain of the requested identifier."
    if (!dns::is_subdomain_of(name, parent))
        return refuse(400, "malformed", fmt::format("{} is no ancestor domain of {}", parent, name));
    return make_authz(account, parent, false, true);
}

Answer<ServerResponse> Service::Impl::new_authz(const SignedRequest& request, Json& log)
{
    const auto fault = faults.value("newAuthz").value_or("");
    if (!options.new_authz || fault == "404") return refuse(404, "malformed", "no such resource");
    if (fault == "405") return refuse(405, "malformed", "method not allowed");
    if (fault == "403") return refuse(403, "unauthorized", "policy forbids pre-authorization");
    if (request.as_get || !request.payload.contains("identifier"))
        return refuse(400, "malformed", "newAuthz takes an identifier");
    const Json& identifier = request.payload["identifier"];
    CA_TRY(name, checked_name(identifier, false));
    log["identifiers"] = Json::array({name});
    const bool subdomains =
        base::bool_member(identifier, "subdomainAuthAllowed", false) && options.subdomains == Subdomains::on;
    auto known = records.find("authz", request.account, name);
    if (!known) return broken(known.error());
    for (const auto& [id, object] : *known) {
        const bool same = base::bool_member(object, "subdomains", false) == subdomains &&
                          !base::bool_member(object, "wildcard", false);
        // One that is past half of its life is not given again: whoever asks wants to renew it.
        const bool fresh = time_of(object, "expires") - now() > options.authz_lifetime / 2;
        const auto status = authz_status(object);
        if (same && ((status == "valid" && fresh) || status == "pending"))
            return reply(status == "valid" ? 200 : 201, show_authz(id, object), url("/authz/" + id));
    }
    CA_TRY(id, make_authz(request.account, name, false, subdomains));
    CA_TRY(object, owned("authz", id, request.account));
    return reply(201, show_authz(id, object), url("/authz/" + id));
}

Answer<ServerResponse> Service::Impl::authz(const SignedRequest& request, const std::string& id)
{
    CA_TRY(object, owned("authz", id, request.account));
    if (!request.as_get) {
        if (base::string_member(request.payload, "status") != "deactivated")
            return refuse(400, "malformed", "an authorization can only be deactivated");
        object["status"] = "deactivated";
        CA_STORE(records.put("authz", id, request.account, object["name"].get<std::string>(), object));
    }
    auto response = reply(200, show_authz(id, object));
    if (const auto wait = faults.value("retryAfter");
        wait && wait != "none" && authz_status(object) == "pending")
        response.headers.emplace_back("Retry-After", *wait);
    return response;
}

Answer<ServerResponse> Service::Impl::challenge(const SignedRequest& request, const std::string& id,
                                                const std::string& type)
{
    CA_TRY(object, owned("authz", id, request.account));
    for (auto& challenge : object["challenges"]) {
        if (challenge["type"] != type) continue;
        if (!request.as_get && authz_status(object) == "pending" && challenge["status"] == "pending") {
            challenge["status"] = "processing";
            const auto thumbprint = jose::thumbprint(request.key);
            if (!thumbprint) return broken(thumbprint.error());
            object["thumbprint"] = *thumbprint;
            CA_STORE(records.put("authz", id, request.account, object["name"].get<std::string>(), object));
            asked_for.push_back({id, type, {}});
        }
        Json shown = challenge;
        shown["url"] = url(fmt::format("/challenge/{}/{}", id, type));
        auto response = reply(200, shown);
        response.headers.emplace_back("Link", fmt::format("<{}>;rel=\"up\"", url("/authz/" + id)));
        return response;
    }
    return refuse(404, "malformed", "no such challenge");
}

// ------------------------------------------------------------------------------------------------------
// orders

Answer<std::string> Service::Impl::order_status(Json& object)
{
    const auto status = object.at("status").get<std::string>();
    if (status == "processing" && time_of(object, "ready") <= now())
        return std::string{object.contains("error") ? "invalid" : "valid"};
    if (status != "pending") return status;
    if (time_of(object, "expires") <= now()) return std::string{"invalid"};
    bool all = true;
    for (const auto& id : object.at("authorizations")) {
        CA_TRY(authorization, owned("authz", id.get<std::string>(), object.at("account").get<std::string>()));
        const auto seen = authz_status(authorization);
        if (seen != "valid" && seen != "pending") return std::string{"invalid"};
        all = all && seen == "valid";
    }
    return std::string{all ? "ready" : "pending"};
}

Answer<Json> Service::Impl::show_order(const std::string& id, Json object)
{
    CA_TRY(status, order_status(object));
    Json authorizations = Json::array();
    for (const auto& authorization : object["authorizations"])
        authorizations.push_back(url("/authz/" + authorization.get<std::string>()));
    if (faults.value("reorderAuthz")) std::reverse(authorizations.begin(), authorizations.end());
    Json shown{{"status", status},
               {"expires", object["expires"]},
               {"identifiers", object["identifiers"]},
               {"authorizations", std::move(authorizations)},
               {"finalize", url(fmt::format("/order/{}/finalize", id))}};
    if (status == "valid")
        shown["certificate"] = url("/certificate/" + object["certificate"].get<std::string>());
    if (status == "invalid" && object.contains("error")) shown["error"] = object["error"];
    return shown;
}

Answer<ServerResponse> Service::Impl::new_order(const SignedRequest& request, Json& log)
{
    const auto identifiers = request.payload.find("identifiers");
    if (request.as_get || identifiers == request.payload.end() || !identifiers->is_array() ||
        identifiers->empty() || identifiers->size() > kMostIdentifiers)
        return refuse(400, "malformed", "newOrder takes 1 to 100 identifiers");
    Json names = Json::array();
    Json subproblems = Json::array();
    std::set<std::string> authorizations;
    for (const auto& identifier : *identifiers) {
        const auto name = base::printable(base::string_member(identifier, "value").value_or(""), 255);
        const auto found = authz_for(request.account, identifier);
        if (!found) {
            auto problem = problem_of(found.error());
            problem["identifier"] = {{"type", "dns"}, {"value", name}};
            subproblems.push_back(std::move(problem));
            continue;
        }
        authorizations.insert(*found);
        names.push_back({{"type", "dns"}, {"value", base::to_lower(name)}});
    }
    log["identifiers"] = names;
    if (!subproblems.empty()) {
        auto refusal = refuse(400,
                              subproblems.size() == 1
                                  ? base::string_member(subproblems[0], "type").value_or("").substr(27)
                                  : "compound",
                              "some identifiers were refused");
        refusal.value().subproblems = std::move(subproblems);
        return refusal;
    }
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
    Json object{{"account", request.account},
                {"status", "pending"},
                {"expires", base::to_rfc3339(now() + options.order_lifetime)},
                {"identifiers", names},
                {"authorizations", authorizations}};
    const auto id = Records::new_id();
    CA_STORE(records.put("order", id, request.account, "", object));
    CA_TRY(shown, show_order(id, object));
    return reply(201, shown, url("/order/" + id));
}

Answer<ServerResponse> Service::Impl::order(const SignedRequest& request, const std::string& id)
{
    CA_TRY(object, owned("order", id, request.account));
    CA_TRY(shown, show_order(id, object));
    auto response = reply(200, shown, url("/order/" + id));
    if (const auto wait = faults.value("retryAfter");
        wait && wait != "none" && shown["status"] == "processing")
        response.headers.emplace_back("Retry-After", *wait);
    return response;
}

Answer<std::string> Service::Impl::issue(const std::string& account, const crypto::Csr& csr,
                                         const Json& order)
{
    auto identifiers = csr.identifiers;
    crypto::Key key = csr.key;
    const auto fault = faults.value("certificate").value_or("");
    if (fault == "wrongsan") identifiers.push_back({"dns", "more.invalid"});
    if (fault == "wrongkey") {
        auto other = crypto::generate_key("ec:P-256");
        if (!other) return broken(other.error());
        key = *other;
    }
    const auto chain = authority.issue(key, identifiers, now(), options.certificate_lifetime);
    if (!chain) return broken(chain.error());
    const auto id = Records::new_id();
    const Json object{{"account", account},
                      {"serial", chain->front().serial()},
                      {"identifiers", order.at("identifiers")},
                      {"notAfter", base::to_rfc3339(chain->front().not_after())},
                      {"chain", crypto::to_pem(*chain)}};
    CA_STORE(records.put("certificate", id, account, chain->front().serial(), object));
    return id;
}

Answer<ServerResponse> Service::Impl::finalize(const SignedRequest& request, const std::string& id, Json& log)
{
    CA_TRY(object, owned("order", id, request.account));
    log["identifiers"] = object["identifiers"];
    CA_TRY(status, order_status(object));
    if (status != "ready" || faults.count_down("orderNotReady"))
        return refuse(403, "orderNotReady",
                      fmt::format("the order is {}", status == "ready" ? "not ready" : status));
    const auto der = jose::parse_base64url(base::string_member(request.payload, "csr").value_or(""));
    if (!der || der->empty()) return refuse(400, "malformed", "\"csr\" is not base64url");
    const auto csr = crypto::parse_csr(as_text(*der));
    if (!csr) return refuse(400, "badCSR", csr.error().message);
    const auto names = crypto::require_identifiers(*csr);
    if (!names) return refuse(400, "badCSR", names.error().message);
    Json asked = Json::array();
    for (const auto& name : *names)
        asked.push_back({{"type", name.type}, {"value", name.value}});
    std::sort(asked.begin(), asked.end());
    // RFC 8555 section 7.4: "The CSR MUST indicate the exact same set of requested identifiers as the initial
    // newOrder request."
    if (asked != object["identifiers"])
        return refuse(400, "badCSR", "the CSR's names are not those of the order");
    const auto type = csr->key.type();
    if (type == "other" || (type.starts_with("rsa:") && type < "rsa:2048" && type.size() == 8) ||
        type == "rsa:1024" || type == "rsa:512")
        return refuse(400, "badCSR", fmt::format("keys of type {} are not certified", type));
    if (csr->key.same_public_key(request.key))
        return refuse(400, "badCSR", "the CSR's key is the account's key");
    if (faults.count_down("orderInvalid")) {
        object["status"] = "invalid";
        auto refusal = Refusal{403, "unauthorized", "the fault orderInvalid is on"};
        for (const auto& name : asked) {
            Json sub = problem_of({403, "caa", "CAA forbids issuance"});
            sub["identifier"] = name;
            refusal.subproblems.push_back(std::move(sub));
        }
        object["error"] = problem_of(refusal);
    } else {
        CA_TRY(certificate, issue(request.account, *csr, object));
        object["certificate"] = certificate;
        object["status"] = "valid";
        if (const auto seconds = faults.number("processing"); seconds > 0) {
            object["status"] = "processing";
            object["ready"] = base::to_rfc3339(now() + std::chrono::seconds{seconds});
        }
    }
    CA_STORE(records.put("order", id, request.account, "", object));
    CA_TRY(shown, show_order(id, object));
    log["order"] = shown["status"];
    auto response = reply(200, shown, url("/order/" + id));
    if (shown["status"] == "processing")
        if (const auto wait = faults.value("retryAfter").value_or("1"); wait != "none")
            response.headers.emplace_back("Retry-After", wait);
    return response;
}

// ------------------------------------------------------------------------------------------------
// certificates

Answer<ServerResponse> Service::Impl::certificate(const SignedRequest& request, const std::string& id)
{
    CA_TRY(object, owned("certificate", id, request.account));
    auto chain = object["chain"].get<std::string>();
    const auto fault = faults.value("certificate").value_or("");
    if (fault == "noeol" && chain.ends_with('\n')) chain.pop_back();
    if (fault == "text") chain = "Certificate of the lab\n\n" + chain + "That is all.\n";
    if (fault == "crlf")
        for (std::size_t at = 0; (at = chain.find('\n', at)) != std::string::npos; at += 2)
            chain.insert(at, 1, '\r');
    if (fault == "wrongorder") {
        const auto second = chain.find("-----BEGIN", 1);
        chain = chain.substr(second) + chain.substr(0, second);
    }
    if (fault == "foreignblock") chain += "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    return ServerResponse{200, {{"Content-Type", "application/pem-certificate-chain"}}, chain, false};
}

Answer<ServerResponse> Service::Impl::revoke(const SignedRequest& request)
{
    const auto der = jose::parse_base64url(base::string_member(request.payload, "certificate").value_or(""));
    if (!der) return refuse(400, "malformed", "\"certificate\" is not base64url");
    const auto parsed = crypto::parse_certificates(as_text(*der), "certificate");
    if (!parsed) return refuse(400, "malformed", parsed.error().message);
    const auto& certificate = parsed->front();
    auto found = records.find("certificate", "", certificate.serial());
    if (!found) return broken(found.error());
    if (found->empty()) return refuse(404, "malformed", "this CA did not issue that certificate");
    auto& [id, object] = found->front();
    // The number alone says nothing: anybody can make a certificate with it, for a key of their own.
    const auto issued = crypto::parse_certificates(object.at("chain").get<std::string>(), "chain");
    if (!issued) return broken(issued.error());
    if (issued->front().sha256() != certificate.sha256())
        return refuse(404, "malformed", "this CA did not issue that certificate");
    bool allowed = request.account.empty() ? certificate.public_key().same_public_key(request.key)
                                           : base::string_member(object, "account") == request.account;
    if (!allowed && !request.account.empty()) {
        // RFC 8555 section 7.6: an account that "holds authorizations for all of the identifiers in the
        // certificate".
        allowed = true;
        for (const auto& identifier : certificate.identifiers()) {
            const bool wildcard = identifier.value.starts_with("*.");
            CA_TRY(covering,
                   covering_authz(request.account, identifier.value.substr(wildcard ? 2 : 0), wildcard));
            allowed = allowed && !covering.empty();
        }
    }
    if (!allowed)
        return refuse(403, "unauthorized", "neither the certificate's account nor its key signed this");
    if (object.contains("revoked"))
        return refuse(400, "alreadyRevoked", "the certificate is revoked already");
    const auto reason = request.payload.find("reason");
    const bool given = reason != request.payload.end();
    const std::int64_t code = !given                                         ? 0
                              : reason->is_number_integer() && *reason <= 10 ? reason->get<std::int64_t>()
                                                                             : -1;
    // RFC 5280 section 5.3.1: removeFromCRL (8) "may only appear in delta CRLs", and here are none.
    if (code < 0 || code == 7 || code == 8)
        return refuse(400, "badRevocationReason", "reasons are 0 to 6, 9 and 10");
    object["revoked"] = base::to_rfc3339(now());
    object["reason"] = code;
    CA_STORE(
        records.put("certificate", id, object["account"].get<std::string>(), certificate.serial(), object));
    return ServerResponse{200, {}, {}, false};
}

Answer<ServerResponse> Service::Impl::crl()
{
    auto all = records.find("certificate", "", "");
    if (!all) return broken(all.error());
    std::vector<Authority::Revoked> revoked;
    for (const auto& [id, object] : *all)
        if (object.contains("revoked"))
            revoked.push_back({object.at("serial").get<std::string>(), time_of(object, "revoked"),
                               object.at("reason").get<int>()});
    const auto der = authority.crl(revoked, now());
    if (!der) return broken(der.error());
    return ServerResponse{200, {{"Content-Type", "application/pkix-crl"}}, std::string{as_text(*der)}, false};
}

// --------------------------------------------------------------------------------------------------
// validation

void Service::Impl::enqueue(Job job)
{
    job.not_before = std::chrono::steady_clock::now() + std::chrono::seconds{faults.number("challengeDelay")};
    const std::scoped_lock lock{jobs_mutex};
    jobs.push_back(std::move(job));
    jobs_wake.notify_all(); // one that naps before a delayed job would swallow the only call
}

void Service::Impl::work(const std::stop_token& stop)
{
    for (;;) {
        Job job;
        {
            std::unique_lock lock{jobs_mutex};
            if (!jobs_wake.wait(lock, stop, [&] { return !jobs.empty(); })) return;
            job = jobs.front();
            jobs.pop_front();
            if (job.not_before > std::chrono::steady_clock::now()) {
                jobs.push_back(job);
                jobs_wake.wait_for(lock, stop, std::chrono::milliseconds{50}, [] { return false; });
                continue;
            }
        }
        validate(job);
    }
}

void Service::Impl::validate(const Job& job)
{
    base::Context context;
    std::optional<Json> object;
    {
        const std::scoped_lock lock{mutex};
        auto stored = records.get("authz", job.authz);
        if (!stored || !*stored) return;
        object = std::move(**stored);
    }
    const auto name = object->at("name").get<std::string>();
    for (auto& challenge : object->at("challenges")) {
        if (challenge.at("type") != job.type) continue;
        const auto token = challenge.at("token").get<std::string>();
        const auto key_authorization = token + "." + object->at("thumbprint").get<std::string>();
        const auto failure =
            job.type == "dns-01"
                ? validate_dns01(options.validation, dns::validation_name(name),
                                 sha256_url(key_authorization), context)
                : validate_http01(options.validation, name, token, key_authorization, context);
        const auto status = failure ? "invalid" : "valid";
        challenge["status"] = status;
        if (failure)
            challenge["error"] =
                problem_of({failure->type == "dns" ? 400 : 403, failure->type, failure->detail});
        else
            challenge["validated"] = base::to_rfc3339(now());
        (*object)["status"] = status;
        if (!failure) (*object)["expires"] = base::to_rfc3339(now() + options.authz_lifetime);
    }
    auto lock = enter();
    if (request_log.is_open())
        request_log << base::to_text({{"time", base::to_rfc3339(now())},
                                      {"resource", "validation"},
                                      {"type", job.type},
                                      {"identifiers", {name}},
                                      {"result", (*object)["status"]}})
                    << std::endl;
    // Deactivated meanwhile: the client's word stands.
    const auto current = records.get("authz", job.authz);
    if (current && *current && (**current)["status"] == "pending") {
        const auto stored =
            records.put("authz", job.authz, object->at("account").get<std::string>(), name, *object);
        static_cast<void>(stored ? records.keep() : records.discard());
    }
    static_cast<void>(make_durable(lock));
}

Result<void> Service::Impl::resume()
{
    ACMETOOL_TRY(all, records.find("authz", "", ""));
    for (const auto& [id, object] : all)
        for (const auto& challenge : object.at("challenges"))
            if (object.at("status") == "pending" && challenge.at("status") == "processing")
                enqueue({id, challenge.at("type").get<std::string>(), {}});
    return {};
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
        impl->request_log.open(impl->options.request_log, std::ios::app);
        if (!impl->request_log)
            return fail(Errc::cannot_create,
                        fmt::format("request log {}: cannot be opened", impl->options.request_log));
    }
    ACMETOOL_CHECK(impl->resume());
    for (int i = 0; i < kWorkers; ++i)
        impl->workers.emplace_back([raw = impl.get()](const std::stop_token& stop) { raw->work(stop); });
    return std::unique_ptr<Service>{new Service(std::move(impl))};
}

Result<Json> Service::list_certificates(const std::string& database)
{
    ACMETOOL_TRY(records, Records::open(database));
    ACMETOOL_TRY(found, records.find("certificate", "", ""));
    Json list = Json::array();
    for (auto& [id, object] : found) {
        object.erase("chain");
        object.erase("account");
        list.push_back(std::move(object));
    }
    return list;
}

http::ServerResponse Service::handle(const http::ServerRequest& request)
{
    return impl_->handle(request);
}

} // namespace acmetool::ca
