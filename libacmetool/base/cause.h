#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "acmetool/export.h"

namespace acmetool
{

/// The causes of failures on which code branches. Each has a word, which documents and logs show.
enum class Cause : std::uint8_t {
    other, ///< none of these: only people and scripts tell it from others
    account_does_not_exist,
    already_replaced,
    already_revoked,
    bad_csr,
    bad_nonce,
    bad_revocation_reason,
    caa,
    commit_unknown, ///< the database went away during a commit, and could not be asked about it since
    connect,
    deploy_hook_failed,
    encrypted_key,
    file_exists,
    hook_timeout,
    instance_in_use, ///< another process on the database has this name
    malformed,
    new_authz_unsupported,
    no_account,
    order_changed,
    order_not_ready,
    other_identifier,
    program_refused,
    program_timeout,
    proximity_registrar_cert, ///< a check of brski/checks.h, as `registrar` and `signature`
    rate_limited,
    registrar,
    rejected_identifier,
    renewal_info_unsupported,
    reset,
    resolve,
    revoked,
    signature,
    store_away,     ///< the database's server cannot be reached
    store_conflict, ///< another transaction was first: the same one, run again, may succeed
    timeout,
    tls,
    tls_certificate,
    tls_identity,
    tls_key,
    unauthorized,
    unknown_device,
    user_action_required,
    validation_failed,
};

/// The word of a cause: "badNonce"; empty for `other`.
ACMETOOL_EXPORT std::string_view word_of(Cause cause);

/// The cause with this word; `other` if there is none.
ACMETOOL_EXPORT Cause cause_of(std::string_view word);

/// Why an operation failed, as one word that stays the same: "newAuthzUnsupported"; empty: the code says all.
///
/// It is never compared with text: code compares the cause, scripts the word.
class Reason
{
public:
    Reason() = default;
    Reason(Cause cause) : word_(word_of(cause)), cause_(cause) {}
    Reason(std::string word) : word_(std::move(word)), cause_(cause_of(word_)) {}
    Reason(std::string_view word) : Reason(std::string{word}) {}
    Reason(const char* word) : Reason(std::string{word}) {}

    const std::string& word() const { return word_; }
    Cause cause() const { return cause_; }
    bool empty() const { return word_.empty(); }
    friend bool operator==(const Reason& reason, Cause cause) { return reason.cause_ == cause; }

private:
    std::string word_;
    Cause cause_ = Cause::other;
};

} // namespace acmetool
