#include "est/login.h"

#include "http/authentication.h"

namespace acmetool::est
{

Logins::Logins(const LoginOptions& options) : options_(options)
{
    if (options.digest) nonces_ = std::make_shared<http::DigestNonces>(options.digest->nonce_lifetime);
}

void Logins::read(const http::ServerRequest& request, enrol::Peer& peer,
                  const std::shared_ptr<Login>& login) const
{
    if (auto credentials = http::parse_basic(request.headers)) {
        login->given = !credentials->user.empty();
        login->usable = login->given && options_.basic;
        if (!login->usable) return;
        peer.user = std::move(credentials->user);
        peer.password = std::move(credentials->password);
        return;
    }
    login->given = http::uses_digest(request.headers);
    if (!login->given || !options_.digest) return;
    auto response = http::parse_digest(request.headers, request.method, request.target, *options_.digest);
    if (!response) return;
    login->stale = !nonces_->is_current(response->nonce);
    login->usable = !login->stale;
    if (!login->usable) return;
    peer.user = std::move(response->user);
    peer.digest = enrol::DigestLogin{
        response->algorithm, std::move(response->rest), std::move(response->response),
        [nonces = nonces_, nonce = std::move(response->nonce), count = response->count, login] {
            login->stale = !nonces->spend(nonce, count);
            return !login->stale;
        }};
}

void Logins::challenge(http::Headers& headers, bool stale) const
{
    const bool basic = options_.basic || !options_.digest;
    const auto add_basic = [&] { headers.emplace_back("WWW-Authenticate", "Basic realm=\"est\""); };
    if (basic && options_.basic_first) add_basic();
    if (options_.digest) http::add_digest_challenges(headers, *options_.digest, nonces_->issue(), stale);
    if (basic && !options_.basic_first) add_basic();
}

} // namespace acmetool::est
