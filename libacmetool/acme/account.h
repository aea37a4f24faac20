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
    std::string key_file; ///< relative names count from the account file's folder
    std::string ca_file;  ///< likewise; empty: the system's anchors
    std::vector<std::string> contact;
};

/// Reads an account file. Errors: config; reason "noAccount" where the file does not exist.
ACMETOOL_EXPORT Result<AccountFile> load_account(const std::string& path);
/// Writes it atomically with mode 0600.
ACMETOOL_EXPORT Result<void> save_account(const std::string& path, const AccountFile& account);
/// The `account` document, as the file and `acme-account` print it.
ACMETOOL_EXPORT std::string to_json(const AccountFile& account);

/// `file` as seen from the folder of `account_path`.
ACMETOOL_EXPORT std::string beside(const std::string& account_path, const std::string& file);

/// Reads the account's private key. Errors: config; a key file that others can read is refused (mode 0600).
ACMETOOL_EXPORT Result<crypto::Key> load_account_key(const std::string& path);

} // namespace acmetool::acme
