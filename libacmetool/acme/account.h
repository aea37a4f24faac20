#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "crypto/key.h"

namespace acmetool::acme
{

/// The account file: which CA, which account, where its key is. Never the key itself.
struct AccountFile {
    std::string directory;
    std::string url;      ///< the account URL ("kid")
    std::string key_file; ///< relative names count from the account file's folder; or the key's URI
    std::string ca_file;  ///< likewise; empty: the system's anchors
    std::vector<std::string> contact;
};

/// Reads an account file. Errors: config; reason "noAccount" where the file does not exist.
ACMETOOL_EXPORT Result<AccountFile> load_account(const std::string& path);
/// Writes it atomically with mode 0600.
ACMETOOL_EXPORT Result<void> save_account(const std::string& path, const AccountFile& account);
/// The `account` document, as the file and `acme-account` print it.
ACMETOOL_EXPORT std::string to_json(const AccountFile& account);

/// Refuses a key that another account file in the folder of `account_path` uses at another CA (RFC 8555
/// section 11.1: each account has a key of its own). Errc::bad_input, reason "keyInUse".
ACMETOOL_EXPORT Result<void> check_key_is_fresh(const std::string& account_path, const std::string& directory,
                                                const crypto::Key& key);

/// `file` as seen from the folder of `account_path`; URIs of keys stay as they are.
ACMETOOL_EXPORT std::string beside(const std::string& account_path, const std::string& file);

/// Reads a private key that this host signs requests with, by path or URI; `what` and `hint` are for its
/// errors. Errors: config; a key file that others can read is refused (mode 0600).
ACMETOOL_EXPORT Result<crypto::Key> load_private_key(const std::string& path, std::string_view what,
                                                     std::string_view hint,
                                                     const base::Secret& passphrase = {});
/// Reads the account's private key; `passphrase` opens one that is encrypted. Errors: config; a key file that
/// others can read is refused (mode 0600).
ACMETOOL_EXPORT Result<crypto::Key> load_account_key(const std::string& path,
                                                     const base::Secret& passphrase = {});

} // namespace acmetool::acme
