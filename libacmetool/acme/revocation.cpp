#include "acme/revocation.h"

#include <algorithm>
#include <array>
#include <charconv>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "base/base64url.h"
#include "base/text.h"

namespace acmetool::acme
{
namespace
{

using base::Json;

/// RFC 5280 section 5.3.1; "value 7 is not used".
constexpr std::array<std::string_view, 11> kReasons{
    "unspecified",   "keyCompromise",        "cACompromise",    "affiliationChanged",
    "superseded",    "cessationOfOperation", "certificateHold", "",
    "removeFromCRL", "privilegeWithdrawn",   "aACompromise"};

/// The meaning of the problem types of section 6.7 for a revocation.
Error explained(Error error)
{
    if (error.reason == Cause::already_revoked)
        error.hint = "nothing remains to be done: the certificate was already revoked";
    if (error.reason == Cause::unauthorized)
        error.hint = "sign with the account that ordered it, with an account that is authorized for all of "
                     "its names, or with the certificate's key (--cert-key)";
    if (error.reason == Cause::bad_revocation_reason)
        error.hint = "the CA does not accept this reason: give another --reason, or none";
    return error;
}

} // namespace

std::string_view revocation_reason_name(int reason)
{
    return reason >= 0 && reason < static_cast<int>(kReasons.size())
               ? kReasons[static_cast<std::size_t>(reason)]
               : std::string_view{};
}

std::vector<std::string> revocation_reasons()
{
    std::vector<std::string> names;
    for (const auto name : kReasons)
        if (!name.empty()) names.emplace_back(name);
    return names;
}

Result<int> parse_revocation_reason(std::string_view text)
{
    int number = -1;
    const auto* const last = text.data() + text.size();
    if (const auto [end, problem] = std::from_chars(text.data(), last, number);
        problem == std::errc{} && end == last && !revocation_reason_name(number).empty())
        return number;
    const auto* const found = std::find_if(kReasons.begin(), kReasons.end(), [&](std::string_view name) {
        return !name.empty() && base::equals_ignoring_case(name, text);
    });
    if (found != kReasons.end()) return static_cast<int>(found - kReasons.begin());
    return fail(Errc::usage, fmt::format("\"{}\" is not a revocation reason", base::printable(text, 50)),
                fmt::format("give one of {}, or its number (RFC 5280 section 5.3.1)",
                            base::join(revocation_reasons(), ", ")),
                "badReason");
}

Result<void> revoke(Client& client, const crypto::Certificate& certificate, RevocationSigner signer,
                    std::optional<int> reason)
{
    const auto& url = client.directory().revoke_cert;
    if (url.empty())
        return fail(Errc::unavailable,
                    fmt::format("the CA offers no revokeCert: {} does not list it", client.directory().url),
                    "ask the CA's operator how to revoke certificates", "revokeCertUnsupported");
    if (signer == RevocationSigner::certificate && !certificate.public_key().same_public_key(client.key()))
        return fail(Errc::bad_input, "the key does not belong to the certificate",
                    "give the certificate's private key with --cert-key", "certificateKeyMismatch");
    Json payload{{"certificate", base::to_base64url(certificate.der())}};
    if (reason) payload["reason"] = *reason;
    Post post{Step::revoke_cert, "certificate " + certificate.serial(), url, payload.dump()};
    post.by_jwk = signer == RevocationSigner::certificate;
    const auto reply = client.post(std::move(post));
    if (!reply) return fail(explained(reply.error()));
    return {};
}

Json revocation_document(const crypto::Certificate& certificate, RevocationSigner signer,
                         std::optional<int> reason)
{
    Json identifiers = Json::array();
    for (const auto& identifier : certificate.identifiers())
        identifiers.push_back({{"type", identifier.type}, {"value", identifier.value}});
    Json object{{"serial", certificate.serial()},
                {"issuer", certificate.issuer()},
                {"identifiers", std::move(identifiers)},
                {"signedBy", signer == RevocationSigner::account ? "account" : "certificate"}};
    if (reason) {
        object["reason"] = *reason;
        object["reasonName"] = revocation_reason_name(*reason);
    }
    return object;
}

} // namespace acmetool::acme
