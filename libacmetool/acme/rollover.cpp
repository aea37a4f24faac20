#include "acme/rollover.h"

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "jose/jwk.h"
#include "jose/jws.h"

namespace acmetool::acme
{
namespace
{

constexpr const char* kUnsupported = "keyChangeUnsupported";

} // namespace

Result<void> change_key(Client& client, const crypto::Key& new_key)
{
    const auto& url = client.directory().key_change;
    if (url.empty())
        return fail(Errc::unavailable, fmt::format("keyChange: {} does not offer it", client.directory().url),
                    "this CA cannot replace a key: register a new account with another --account, then "
                    "deactivate this one",
                    kUnsupported);
    ACMETOOL_TRY(old_jwk, jose::to_jwk(client.key()));
    ACMETOOL_TRY(new_jwk, jose::to_jwk(new_key));
    const base::Json payload{{"account", client.account_url()}, {"oldKey", old_jwk}};
    // RFC 8555 section 7.3.5: "The inner JWS MUST have a "jwk" header parameter ... the same "url" header
    // parameter as the outer JWS [and] MUST omit the "nonce" header parameter."
    ACMETOOL_TRY(inner, jose::sign(new_key, {{"jwk", new_jwk}, {"url", url}}, payload.dump()));
    Post post{Step::key_change, {}, url, inner};
    post.if_missing = kUnsupported;
    auto reply = client.post(std::move(post));
    if (reply) return {};
    if (reply.error().reason.word() == kUnsupported)
        reply.error().hint =
            "the directory offers keyChange, but nothing is there: report it to the CA's operator";
    return fail(std::move(reply).error());
}

std::string next_key_file(const std::string& key_file)
{
    return key_file + ".next";
}

} // namespace acmetool::acme
