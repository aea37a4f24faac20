#include "est/server.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <utility>

#include <fmt/core.h>

#include "base/spread.h"
#include "base/text.h"
#include "crypto/cms.h"
#include "crypto/digest.h"
#include "enrol/binding.h"
#include "est/cmc_error.h"
#include "est/codec.h"
#include "est/csrattrs.h"
#include "est/operation.h"
#include "http/text_response.h"

namespace acmetool::est
{
namespace
{

using enrol::Refusal;
using http::text_response;

constexpr std::string_view kPrefix = "/.well-known/est/";
constexpr std::size_t kLines = 64;
/// Sent if the authority specifies no time.
constexpr std::chrono::seconds kRetryLater{60};

struct Route {
    std::string label;
    Operation operation = Operation::cacerts;

    bool enrols() const
    {
        return operation == Operation::simpleenroll || operation == Operation::simplereenroll;
    }
};

std::optional<Operation> operation_of(std::string_view word)
{
    for (const auto operation :
         {Operation::cacerts, Operation::csrattrs, Operation::simpleenroll, Operation::simplereenroll})
        if (name_of(operation) == word) return operation;
    return std::nullopt;
}

/// RFC 7030 section 3.2.2: the operation, with an optional label before it.
std::optional<Route> parse_target(std::string_view target)
{
    target = target.substr(0, target.find('?'));
    if (!target.starts_with(kPrefix)) return std::nullopt;
    target.remove_prefix(kPrefix.size());
    Route route;
    if (const auto slash = target.find('/'); slash != std::string_view::npos) {
        route.label = target.substr(0, slash);
        target.remove_prefix(slash + 1);
        if (!is_server_label(route.label)) return std::nullopt;
    }
    const auto operation = operation_of(target);
    if (!operation) return std::nullopt;
    route.operation = *operation;
    return route;
}

std::string new_request_id()
{
    return to_hex(crypto::random_bytes(8));
}

/// "application/pkcs10; charset=x" is "application/pkcs10".
bool has_media_type(const http::Headers& headers, std::string_view wanted)
{
    const auto type = http::find(headers, "content-type");
    return type && base::equals_ignoring_case(base::trim(type->substr(0, type->find(';'))), wanted);
}

int status_of(Refusal refusal, bool can_log_in)
{
    switch (refusal) {
    case Refusal::unauthenticated:
        return can_log_in ? 401 : 403;
    case Refusal::forbidden:
    case Refusal::bad_identity:
        return 403;
    case Refusal::bad_request:
    case Refusal::pop_failed:
    case Refusal::unsupported_algorithm:
    case Refusal::unsupported_extension:
        return 400;
    case Refusal::not_found:
        return 404;
    case Refusal::too_many:
        return 429;
    case Refusal::unavailable:
        return 503;
    case Refusal::internal:
        return 502;
    }
    return 500;
}

/// The CMC code; empty if CMC has none.
std::optional<CmcFailInfo> fail_info_of(Refusal refusal)
{
    switch (refusal) {
    case Refusal::bad_request:
    case Refusal::unsupported_algorithm:
    case Refusal::unsupported_extension:
        return CmcFailInfo::badRequest;
    case Refusal::bad_identity:
        return CmcFailInfo::badIdentity;
    case Refusal::pop_failed:
        return CmcFailInfo::popFailed;
    case Refusal::internal:
        return CmcFailInfo::internalCAError;
    case Refusal::unauthenticated:
    case Refusal::forbidden:
    case Refusal::not_found:
    case Refusal::too_many:
    case Refusal::unavailable:
        return std::nullopt;
    }
    return std::nullopt;
}

http::ServerResponse base64_response(std::string type, std::string body)
{
    return {200,
            {{"Content-Type", std::move(type)}, {"Content-Transfer-Encoding", "base64"}},
            std::move(body),
            false};
}

/// RFC 7030 sections 4.1.3 and 4.2.3: /cacerts has the plain type, an enrolment has an smime-type. Some
/// clients compare each of them as a whole.
constexpr const char* kCaCerts = "application/pkcs7-mime";
constexpr const char* kCertsOnly = "application/pkcs7-mime; smime-type=certs-only";

/// One request until it is answered.
struct Exchange {
    std::shared_ptr<const ServerOptions> options;
    std::shared_ptr<const Logins> logins;
    http::Responder respond;
    const Server::Observer* observer = nullptr;
    const Server::Observer* arrival = nullptr;
    std::chrono::steady_clock::time_point began = std::chrono::steady_clock::now();
    std::size_t wrap = kLines;
    std::shared_ptr<Login> login = std::make_shared<Login>();
    bool has_arrived = false;
    RequestEvent event;

    void arrived()
    {
        if (!std::exchange(has_arrived, true) && *arrival) (*arrival)(event);
    }
    void finish(http::ServerResponse response)
    {
        arrived();
        event.status = response.status;
        event.took =
            std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - began);
        if (*observer) (*observer)(event);
        respond(std::move(response));
    }
    void fail(int status, std::string_view sentence)
    {
        event.text = sentence;
        finish(text_response(status, sentence));
    }
    enrol::Peer peer_of(const http::ServerRequest& request) const;
    void retry_later(http::ServerResponse& response, std::chrono::seconds after)
    {
        event.retry_after = after;
        response.headers.emplace_back("Retry-After", std::to_string(after.count()));
    }
    void refuse(const enrol::Refused& refused);
    /// Refuses a login that the authority does not have to see.
    void refuse_login();
    void decide(const enrol::Decision& decision);
};

enrol::Peer Exchange::peer_of(const http::ServerRequest& request) const
{
    enrol::Peer peer;
    peer.address = request.peer;
    peer.executor = request.executor;
    if (request.tls) peer.certificates = request.tls->certificates;
    logins->read(request, peer, login);
    return peer;
}

void Exchange::refuse_login()
{
    refuse({Refusal::unauthenticated,
            login->stale ? "the nonce of the login is too old" : "wrong user name or password",
            {}});
}

void Exchange::refuse(const enrol::Refused& refused)
{
    // RFC 9110 section 15.5.2: "If the request included authentication credentials, then the 401 response
    // indicates that authorization has been refused for those credentials."
    const int status = status_of(refused.why, options->logins.available() || login->given);
    event.decision = enrol::name_of(refused.why);
    event.text = refused.text;
    auto response = text_response(status, refused.text);
    // Nobody gets a signature out of this server whom the authority did not authenticate (SEC-10).
    const auto info = refused.authenticated ? fail_info_of(refused.why) : std::nullopt;
    if (info && options->signer) {
        const auto& signer = *options->signer;
        if (const auto der = to_cmc_error(*info, base::printable(refused.text), signer.key,
                                          signer.certificate, signer.chain)) {
            response =
                base64_response("application/pkcs7-mime; smime-type=CMC-response", to_body(*der, wrap));
            response.status = status;
        }
    }
    if (status == 401) logins->challenge(response.headers, login->stale);
    if (status == 429 || status == 503)
        retry_later(response, refused.retry_after.value_or(base::spread(kRetryLater)));
    finish(std::move(response));
}

void Exchange::decide(const enrol::Decision& decision)
{
    if (const auto* issued = std::get_if<enrol::Issued>(&decision)) {
        const auto der = crypto::to_certs_only({issued->certificate});
        if (!der) {
            fail(500, der.error().message);
            return;
        }
        event.decision = "issued";
        event.serial = issued->certificate.serial();
        finish(base64_response(kCertsOnly, to_body(*der, wrap)));
    } else if (const auto* pending = std::get_if<enrol::Pending>(&decision)) {
        event.decision = "pending";
        auto response = text_response(202, {});
        retry_later(response, std::max(pending->retry_after, std::chrono::seconds{1}));
        finish(std::move(response));
    } else {
        refuse(std::get<enrol::Refused>(decision));
    }
}

} // namespace

struct Server::Impl {
    /// /cacerts of one label, made once for a set of certificates.
    struct CaCerts {
        std::vector<crypto::Certificate> certificates;
        std::string lines;
        std::string one_line;
    };

    enrol::RegistrationAuthority& authority;
    Observer observer;
    Observer arrival;
    std::mutex mutex;
    std::shared_ptr<const ServerOptions> options;
    std::shared_ptr<const Logins> logins;
    std::map<std::string, std::shared_ptr<const CaCerts>, std::less<>> ca_certs;

    std::shared_ptr<const CaCerts> ca_certs_for(const std::string& label,
                                                std::vector<crypto::Certificate> certificates);
    void ca_certs_request(const Route& route, Exchange& exchange);
    void attributes_request(const Route& route, const http::ServerRequest& request,
                            const std::shared_ptr<Exchange>& exchange);
    void enrol_request(const Route& route, const http::ServerRequest& request,
                       const std::shared_ptr<Exchange>& exchange);
};

std::shared_ptr<const Server::Impl::CaCerts>
Server::Impl::ca_certs_for(const std::string& label, std::vector<crypto::Certificate> certificates)
{
    {
        const std::lock_guard lock{mutex};
        const auto found = ca_certs.find(label);
        if (found != ca_certs.end() &&
            std::equal(certificates.begin(), certificates.end(), found->second->certificates.begin(),
                       found->second->certificates.end(),
                       [](const auto& a, const auto& b) { return a.get() == b.get() || a.der() == b.der(); }))
            return found->second;
    }
    const auto der = crypto::to_certs_only(certificates);
    if (!der) return nullptr;
    auto made = std::make_shared<CaCerts>();
    made->certificates = std::move(certificates);
    made->lines = to_body(*der, kLines);
    made->one_line = to_body(*der, 0);
    const std::lock_guard lock{mutex};
    ca_certs.insert_or_assign(label, made);
    return made;
}

void Server::Impl::ca_certs_request(const Route& route, Exchange& exchange)
{
    exchange.arrived();
    auto certificates = authority.ca_certificates(route.label);
    if (!certificates) {
        exchange.refuse({Refusal::not_found, "unknown label", {}});
        return;
    }
    if (certificates->empty()) {
        exchange.refuse({Refusal::unavailable, "the CA certificates are not known yet", {}});
        return;
    }
    const auto made = ca_certs_for(route.label, std::move(*certificates));
    if (made == nullptr)
        exchange.fail(500, "the CA certificates cannot be encoded");
    else
        exchange.finish(base64_response(kCaCerts, exchange.wrap == 0 ? made->one_line : made->lines));
}

void Server::Impl::attributes_request(const Route& route, const http::ServerRequest& request,
                                      const std::shared_ptr<Exchange>& exchange)
{
    exchange->arrived();
    auto peer = exchange->peer_of(request);
    if (exchange->login->given && !exchange->login->usable) {
        exchange->refuse_login();
        return;
    }
    std::function<void(enrol::AttributesDecision)> tell =
        [exchange](const enrol::AttributesDecision& decision) {
            if (const auto* refused = std::get_if<enrol::Refused>(&decision)) {
                exchange->refuse(*refused);
                return;
            }
            const auto& attributes = std::get<enrol::CsrAttributes>(decision);
            // A client with a password may wait to be asked for it, and would learn no name.
            if (!attributes.authenticated && exchange->options->logins.available()) {
                exchange->refuse({Refusal::unauthenticated,
                                  attributes.why_not.empty() ? "a client certificate or a login is required"
                                                             : attributes.why_not,
                                  {}});
                return;
            }
            const auto der = to_csrattrs(attributes);
            if (!der)
                exchange->fail(500, der.error().message);
            else if (der->size() <= 2) // an empty SEQUENCE requests nothing
                exchange->finish({204, {}, "", false});
            else
                exchange->finish(base64_response("application/csrattrs", to_body(*der, exchange->wrap)));
        };
    authority.csr_attributes(std::move(peer), route.label, http::on_thread_of(request, std::move(tell)));
}

void Server::Impl::enrol_request(const Route& route, const http::ServerRequest& request,
                                 const std::shared_ptr<Exchange>& exchange)
{
    if (!has_media_type(request.headers, "application/pkcs10")) {
        exchange->fail(415, "the body must be of type application/pkcs10");
        return;
    }
    enrol::EnrolRequest enrolment;
    enrolment.peer = exchange->peer_of(request);
    if (enrolment.peer.certificates.empty() && !exchange->login->given) {
        // Nothing is parsed for a client without credentials.
        exchange->refuse(
            {Refusal::unauthenticated, "a client certificate or a login is required to enrol", {}});
        return;
    }
    if (exchange->login->given && !exchange->login->usable) {
        exchange->refuse_login();
        return;
    }
    // The client is not authenticated yet: report malformed bodies as text, never signed.
    const auto body = parse_body(request.body, {.strict = exchange->options->strict_body});
    if (!body) {
        exchange->event.decision = enrol::name_of(Refusal::bad_request);
        exchange->fail(400, body.error().message);
        return;
    }
    if (!exchange->options->wrap && body->form == BodyForm::one_line) exchange->wrap = 0;
    auto csr = crypto::parse_csr(as_text(body->der));
    if (!csr) {
        exchange->event.decision = enrol::name_of(Refusal::bad_request);
        exchange->fail(400, csr.error().message);
        return;
    }
    exchange->event.csr_sha256 = to_hex(crypto::sha256(csr->der));
    for (const auto& identifier : csr->identifiers)
        exchange->event.identifiers.push_back(identifier.value);
    enrolment.request_id = exchange->event.request_id;
    enrolment.label = route.label;
    enrolment.renewal = route.operation == Operation::simplereenroll;
    const auto own = request.tls ? request.tls->channel_binding : std::nullopt;
    enrolment.binding = enrol::compare_binding(*csr, own);
    if (own) enrolment.binding_type = own->type;
    enrolment.relayed_by_ra = true;
    enrolment.csr = std::move(*csr);
    exchange->arrived();
    std::function<void(enrol::Decision)> tell = [exchange](const enrol::Decision& decision) {
        exchange->decide(decision);
    };
    authority.enrol(std::move(enrolment), http::on_thread_of(request, std::move(tell)));
}

Server::Server(enrol::RegistrationAuthority& authority, ServerOptions options, Observer observer,
               Observer arrival)
    : impl_(new Impl{authority, std::move(observer), std::move(arrival), {}, nullptr, nullptr, {}})
{
    configure(std::move(options));
}

Server::~Server() = default;

void Server::configure(ServerOptions options)
{
    auto shared = std::make_shared<const ServerOptions>(std::move(options));
    const std::lock_guard lock{impl_->mutex};
    // Nonces outlast a reload.
    if (!impl_->logins || impl_->logins->options() != shared->logins)
        impl_->logins = std::make_shared<const Logins>(shared->logins);
    impl_->options = std::move(shared);
}

void Server::handle(const http::ServerRequest& request, http::Responder respond)
{
    auto exchange = std::make_shared<Exchange>();
    {
        const std::lock_guard lock{impl_->mutex};
        exchange->options = impl_->options;
        exchange->logins = impl_->logins;
    }
    exchange->respond = std::move(respond);
    exchange->observer = &impl_->observer;
    exchange->arrival = &impl_->arrival;
    exchange->event.request_id = new_request_id();
    exchange->event.address = request.peer;
    const auto route = parse_target(request.target);
    if (!route) {
        exchange->fail(404, "only cacerts, csrattrs, simpleenroll and simplereenroll exist under "
                            "/.well-known/est, with or without a label");
        return;
    }
    exchange->event.operation = name_of(route->operation);
    exchange->event.label = route->label;
    if (request.tls) exchange->event.client = enrol::holder_of(request.tls->certificates);
    const bool enrols = route->enrols();
    if (enrols ? request.method != "POST" : request.method != "GET" && request.method != "HEAD") {
        exchange->event.text = "wrong method";
        auto response = text_response(
            405, fmt::format("{} accepts only {}", name_of(route->operation), enrols ? "POST" : "GET"));
        response.headers.emplace_back("Allow", enrols ? "POST" : "GET, HEAD");
        exchange->finish(std::move(response));
        return;
    }
    // strongSwan sends neither header and cannot read broken lines; libest cannot read long ones.
    const bool bare = !http::find(request.headers, "user-agent") && !http::find(request.headers, "accept");
    exchange->wrap = exchange->options->wrap.value_or(bare ? 0 : kLines);
    if (route->operation == Operation::cacerts)
        impl_->ca_certs_request(*route, *exchange);
    else if (route->operation == Operation::csrattrs)
        impl_->attributes_request(*route, request, exchange);
    else
        impl_->enrol_request(*route, request, exchange);
}

} // namespace acmetool::est
