#pragma once

#include <memory>

#include "acme/account.h"
#include "base/result.h"
#include "ra/issuer.h"
#include "ra/options.h"

namespace acmetool::ra
{

/// The key of `account`, opened by the passphrase file that the options name. Errors: config.
Result<crypto::Key> load_account_key(const Options& options, const acme::AccountFile& account);

/// The built-in ACME client: drives thousands of orders over a few connections (RFC 8555 section 7.4).
///
/// One worker does all that is sent to the CA about orders. An order that waits keeps its URL and names, some
/// hundred octets; its CSR comes from the store when it is needed. Polls of many waiting orders are spread,
/// so that their number costs no more than about a hundred requests a second. Pre-authorizations are
/// kept beside it (preauth_keeper.h).
///
/// Errors: config (account, key, solver).
Result<std::unique_ptr<Issuer>> make_acme_issuer(const Options& options);

/// SHA-256 over the files of the account, its key and passphrase, and the update key: what make_acme_issuer()
/// reads besides the options. Errors: config.
Result<Bytes> digest_of_acme_files(const Options& options);

} // namespace acmetool::ra
