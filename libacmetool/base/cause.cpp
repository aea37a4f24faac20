#include "base/cause.h"

#include <algorithm>
#include <array>
#include <utility>

namespace acmetool
{
namespace
{

/// RFC 8555 section 6.7 has some of them; the checks of RFC 8995 are named after the leaf that they compare.
constexpr std::array<std::pair<Cause, std::string_view>, 42> kWords{{
    {Cause::account_does_not_exist, "accountDoesNotExist"},
    {Cause::already_replaced, "alreadyReplaced"},
    {Cause::already_revoked, "alreadyRevoked"},
    {Cause::bad_csr, "badCSR"},
    {Cause::bad_nonce, "badNonce"},
    {Cause::bad_revocation_reason, "badRevocationReason"},
    {Cause::caa, "caa"},
    {Cause::commit_unknown, "commitUnknown"},
    {Cause::connect, "connect"},
    {Cause::deploy_hook_failed, "deployHookFailed"},
    {Cause::encrypted_key, "encryptedKey"},
    {Cause::file_exists, "fileExists"},
    {Cause::hook_timeout, "hookTimeout"},
    {Cause::instance_in_use, "instanceInUse"},
    {Cause::malformed, "malformed"},
    {Cause::new_authz_unsupported, "newAuthzUnsupported"},
    {Cause::no_account, "noAccount"},
    {Cause::order_changed, "orderChanged"},
    {Cause::order_not_ready, "orderNotReady"},
    {Cause::other_identifier, "otherIdentifier"},
    {Cause::program_refused, "programRefused"},
    {Cause::program_timeout, "programTimeout"},
    {Cause::proximity_registrar_cert, "proximity-registrar-cert"},
    {Cause::rate_limited, "rateLimited"},
    {Cause::registrar, "registrar"},
    {Cause::rejected_identifier, "rejectedIdentifier"},
    {Cause::renewal_info_unsupported, "renewalInfoUnsupported"},
    {Cause::reset, "reset"},
    {Cause::resolve, "resolve"},
    {Cause::revoked, "revoked"},
    {Cause::signature, "signature"},
    {Cause::store_away, "storeAway"},
    {Cause::store_conflict, "storeConflict"},
    {Cause::timeout, "timeout"},
    {Cause::tls, "tls"},
    {Cause::tls_certificate, "tlsCertificate"},
    {Cause::tls_identity, "tlsIdentity"},
    {Cause::tls_key, "tlsKey"},
    {Cause::unauthorized, "unauthorized"},
    {Cause::unknown_device, "unknownDevice"},
    {Cause::user_action_required, "userActionRequired"},
    {Cause::validation_failed, "validationFailed"},
}};

} // namespace

std::string_view word_of(Cause cause)
{
    const auto* const found =
        std::find_if(kWords.begin(), kWords.end(), [&](const auto& entry) { return entry.first == cause; });
    return found == kWords.end() ? std::string_view{} : found->second;
}

Cause cause_of(std::string_view word)
{
    const auto* const found =
        std::find_if(kWords.begin(), kWords.end(), [&](const auto& entry) { return entry.second == word; });
    return found == kWords.end() ? Cause::other : found->first;
}

} // namespace acmetool
