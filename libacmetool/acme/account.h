#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/context.h"
#include "base/result.h"
#include "crypto/key.h"

namespace acmetool::acme
{

/// The account file: the CA, the account and the location of its key, but never the key itself.
struct AccountFile {
    std::string directory;
    std::string url;      ///< the account URL ("kid")
    std::string key_file; ///< relative to the account file's folder; or the key's URI
    std::string ca_file;  ///< like key_file; empty: the system's anchors
    std::vector<std::string> contact;
};

/// Reads an account file. Errors: config; reason "noAccount" if the file does not exist.
ACMETOOL_EXPORT Result<AccountFile> load_account(const std::string& path);
/// Writes it atomically with mode 0600.
ACMETOOL_EXPORT Result<void> save_account(const std::string& path, const AccountFile& account);
/// The `account` document, as written to the file and printed by `acme-account`.
ACMETOOL_EXPORT std::string to_json(const AccountFile& account);

/// Refuses a key that another account file in the folder of `account_path` uses at another CA (RFC 8555
/// section 11.1: each account requires its own key). Errc::bad_input, reason "keyInUse".
ACMETOOL_EXPORT Result<void> check_key_is_fresh(const std::string& account_path, const std::string& directory,
                                                const crypto::Key& key);

/// `file` relative to the folder of `account_path`; URIs of keys are returned unchanged.
ACMETOOL_EXPORT std::string beside(const std::string& account_path, const std::string& file);

/// Reads a private key that this host signs requests with, by path or URI; `what` and `hint` are for its
/// errors. Errors: config; a key file that other users can access is refused ("keyPermissions") if this user
/// can change that (store::Exposure), else `warned`, if given, gets a warning.
ACMETOOL_EXPORT Result<crypto::Key> load_private_key(const std::string& path, std::string_view what,
                                                     std::string_view hint,
                                                     const base::Secret& passphrase = {},
                                                     base::Context* warned = nullptr);
/// Reads the account's private key in the same way; `passphrase` decrypts it if necessary.
ACMETOOL_EXPORT Result<crypto::Key> load_account_key(const std::string& path,
                                                     const base::Secret& passphrase = {},
                                                     base::Context* warned = nullptr);

} // namespace acmetool::acme
