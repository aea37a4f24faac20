#include "registrar/masa_login.h"

#include <fmt/core.h>

#include "base/bytes.h"
#include "base/text.h"
#include "crypto/digest.h"
#include "http/url.h"
#include "store/configured.h"

namespace acmetool::registrar
{

Result<http::Credentials> read_masa_credentials(const std::string& file)
{
    ACMETOOL_TRY(text, store::read_configured_secret(file));
    const auto line = base::trim(text.reveal());
    const auto colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0 || line.find('\n') != std::string_view::npos)
        return fail(Errc::config, fmt::format("{}: not one line user:password", file));
    http::Credentials credentials;
    credentials.user = line.substr(0, colon);
    credentials.password = base::Secret{std::string{line.substr(colon + 1)}};
    return credentials;
}

void MasaLogin::use(std::optional<http::Credentials> credentials)
{
    credentials_ = std::move(credentials);
    challenge_.reset();
}

bool MasaLogin::take(const http::Response& refusal)
{
    if (!credentials_) return false;
    auto challenge = http::choose_challenge(refusal.headers, credentials_->scheme);
    if (!challenge) return false;
    challenge_ = std::move(challenge);
    answers_ = 0;
    return true;
}

Result<void> MasaLogin::authorize(http::Request& request)
{
    if (!credentials_ || !challenge_) return {};
    ACMETOOL_TRY(url, http::parse_url(request.url));
    ACMETOOL_TRY(header, http::answer(*challenge_, *credentials_,
                                      {.method = std::string{http::name_of(request.method)},
                                       .target = url.target,
                                       .cnonce = to_hex(crypto::random_bytes(16)),
                                       .count = ++answers_}));
    request.headers.emplace_back("Authorization", std::move(header));
    return {};
}

} // namespace acmetool::registrar
