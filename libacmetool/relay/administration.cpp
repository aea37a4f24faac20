#include "relay/administration.h"

#include <fmt/core.h>

#include "base/text.h"
#include "base/time.h"
#include "crypto/digest.h"
#include "crypto/path.h"
#include "http/authentication.h"
#include "http/text_response.h"
#include "net/address_range.h"
#include "relay/page.h"
#include "store/configured.h"

namespace acmetool::relay
{
namespace
{

constexpr std::size_t kShortestToken = 32;
constexpr unsigned kMostConnections = 64;

http::ServerOptions local_options(const Config& config)
{
    http::ServerOptions options;
    options.address = config.admin.host;
    options.port = config.admin.port;
    options.threads = 1;
    options.thread_name = "admin";
    options.connections = kMostConnections;
    return options;
}

http::ServerOptions remote_options(const Config& config)
{
    auto options = local_options(config);
    const auto& remote = config.remote_admin;
    options.address = remote.listen->host;
    options.port = remote.listen->port;
    options.thread_name = "admin-tls";
    options.certificate_file = remote.certificate_file;
    options.key_file = remote.key_file;
    options.min_tls = config.http.min_tls;
    options.ask_client_certificate = !remote.clients.empty();
    if (remote.certificate_file == config.http.certificate_file) options.issuers = config.http.issuers;
    return options;
}

std::string path_of(const http::ServerRequest& request)
{
    return request.target.substr(0, request.target.find('?'));
}

/// A page of another site could ask under a name that it had lead to this host.
bool names_this_host(const http::ServerRequest& request)
{
    const auto host = http::find(request.headers, "host");
    if (!host) return true; // no browser
    if (host->starts_with('[')) return is_this_host(std::string{host->substr(1, host->find(']') - 1)});
    return is_this_host(std::string{host->substr(0, host->find(':'))});
}

http::ServerResponse guarded(http::ServerResponse response)
{
    response.headers.emplace_back("Cache-Control", "no-store");
    response.headers.emplace_back("X-Content-Type-Options", "nosniff");
    return response;
}

} // namespace

bool is_this_host(const std::string& host)
{
    if (host == "localhost" || host == "::1") return true;
    const auto loopback = net::AddressRange::parse("127.0.0.0/8");
    return loopback && loopback->contains(host);
}

Result<base::Secret> read_admin_token(const std::string& file)
{
    ACMETOOL_TRY(text, store::read_configured_secret(file, "[admin] token_file"));
    base::Secret token{std::string{base::trim(text.reveal())}};
    if (token.reveal().size() < kShortestToken)
        return fail(Errc::config,
                    fmt::format("{}: the token has less than {} characters", file, kShortestToken),
                    "write one with openssl rand -hex 32", "shortToken");
    return token;
}

/// Who may ask from other hosts.
struct Administration::Keys {
    std::vector<crypto::Certificate> clients;
    base::Secret token;

    static Result<std::shared_ptr<const Keys>> read(const RemoteAdmin& options)
    {
        auto keys = std::make_shared<Keys>();
        for (const auto& file : options.clients) {
            ACMETOOL_TRY(anchors, store::read_configured_certificates(file, "[admin] clients"));
            keys->clients.insert(keys->clients.end(), anchors.begin(), anchors.end());
        }
        if (!options.token_file.empty()) {
            ACMETOOL_TRY(token, read_admin_token(options.token_file));
            keys->token = std::move(token);
        }
        return keys;
    }

    bool know_certificate(const http::ServerRequest& request) const
    {
        if (clients.empty() || !request.tls || request.tls->certificates.empty()) return false;
        const auto& shown = request.tls->certificates;
        return crypto::verify_path(shown.front(), {shown.begin() + 1, shown.end()}, {clients, {}, false},
                                   crypto::PathPolicy{crypto::Purpose::identity, base::now()})
            .has_value();
    }

    /// "Bearer TOKEN", or the token as password of any user: a browser asks for that.
    bool know_token(const http::ServerRequest& request) const
    {
        if (token.empty()) return false;
        constexpr std::string_view kBearer = "Bearer ";
        const auto header = http::find(request.headers, "authorization");
        if (header && header->starts_with(kBearer)) return is_token(header->substr(kBearer.size()));
        const auto basic = http::parse_basic(request.headers);
        return basic && is_token(basic->password.reveal());
    }

    bool is_token(std::string_view given) const
    {
        return crypto::equal_in_constant_time(crypto::sha256(as_bytes(given)),
                                              crypto::sha256(as_bytes(token.reveal())));
    }
};

Administration::Administration(Parts parts) : parts_(std::move(parts)) {}
Administration::~Administration() = default;

Result<std::unique_ptr<Administration>> Administration::start(const Config& config, Parts parts)
{
    std::unique_ptr<Administration> all{new Administration(std::move(parts))};
    auto* const raw = all.get();
    ACMETOOL_TRY(keys, Keys::read(config.remote_admin));
    all->keys_ = std::move(keys);
    const auto handler = [raw](bool is_remote) {
        return http::Server::AsyncHandler{
            [raw, is_remote](const http::ServerRequest& request, const http::Responder& respond) {
                raw->answer(request, is_remote, respond);
            }};
    };
    ACMETOOL_TRY(local, http::Server::start(local_options(config), handler(false)));
    all->local_ = std::move(local);
    if (config.remote_admin.listen) {
        ACMETOOL_TRY(remote, http::Server::start(remote_options(config), handler(true)));
        all->remote_ = std::move(remote);
    }
    return all;
}

std::uint16_t Administration::port() const
{
    return local_->port();
}

std::optional<std::uint16_t> Administration::remote_port() const
{
    return remote_ ? std::optional{remote_->port()} : std::nullopt;
}

Result<std::function<void()>> Administration::prepare(const Config& config)
{
    std::function<void()> use_server = [] {};
    if (remote_ && config.remote_admin.listen) {
        ACMETOOL_TRY(prepared, remote_->prepare(remote_options(config)));
        use_server = std::move(prepared);
    }
    ACMETOOL_TRY(fresh, Keys::read(config.remote_admin));
    return [this, use_server = std::move(use_server), fresh = std::move(fresh)] {
        use_server();
        const std::lock_guard lock{mutex_};
        keys_ = fresh;
    };
}

std::shared_ptr<const Administration::Keys> Administration::keys() const
{
    const std::lock_guard lock{mutex_};
    return keys_;
}

void Administration::answer(const http::ServerRequest& request, bool is_remote,
                            const http::Responder& respond)
{
    if (request.method != "GET" && request.method != "HEAD") {
        auto response = http::text_response(405, "only GET is here");
        response.headers.emplace_back("Allow", "GET, HEAD");
        return respond(std::move(response));
    }
    const auto path = path_of(request);
    if (path == "/healthz") return respond(http::text_response(200, "ok"));
    bool is_known = true;
    if (is_remote) {
        const auto held = keys();
        is_known = held->know_certificate(request) || held->know_token(request);
        if (!is_known && path != "/readyz") {
            auto response = http::text_response(held->token.empty() ? 403 : 401,
                                                "show a client certificate that [admin] clients trusts");
            if (!held->token.empty())
                response.headers.emplace_back("WWW-Authenticate", "Basic realm=\"relay\", charset=\"UTF-8\"");
            return respond(guarded(std::move(response)));
        }
    } else if (is_page(request.target) && !names_this_host(request)) {
        return respond(http::text_response(421, "the page is only for this host"));
    }
    route(request, is_known, respond);
}

void Administration::route(const http::ServerRequest& request, bool is_known, const http::Responder& respond)
{
    const auto post = [&respond](base::WorkerPool& pool, std::function<http::ServerResponse()> make) {
        const bool taken = pool.post([respond, make = std::move(make)] { respond(guarded(make())); });
        if (!taken) respond(http::text_response(503, "too many ask at once"));
    };
    const auto path = path_of(request);
    if (path == "/readyz")
        return post(state_, [this, is_known] {
            auto response = parts_.ready();
            // A prober of another host learns no more than this.
            return is_known
                       ? response
                       : http::text_response(response.status, response.status == 200 ? "ready" : "not ready");
        });
    if (path == "/metrics") return post(state_, [this, request] { return parts_.metrics(request); });
    if (path == "/status") return post(reader_, [this] { return parts_.status(); });
    if (is_page(request.target))
        return post(reader_, [this, target = request.target] { return parts_.page(target); });
    respond(http::text_response(404, "here are /, /healthz, /readyz, /metrics and /status"));
}

} // namespace acmetool::relay
