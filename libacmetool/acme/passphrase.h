#pragma once

#include <string>

#include "base/context.h"
#include "base/result.h"
#include "base/secret.h"

namespace acmetool::acme
{

/// Where the passphrase of a private key comes from.
struct PassphraseSource {
    std::string file; ///< its first line; also /dev/fd/N for a descriptor; empty: none
    bool ask = false; ///< ask at the terminal where there is one, no file was given and the key is encrypted
};

/// The first line of `file`; empty where `file` is. Errors: config ("noPassphrase").
ACMETOOL_EXPORT Result<base::Secret> read_passphrase(const std::string& file);

/// The passphrase that opens the key in `key_file`; empty where no file was given and the key is plain, or
/// there is nobody to ask. Errors: those of read_passphrase(), interrupted.
ACMETOOL_EXPORT Result<base::Secret> passphrase_for(const std::string& key_file,
                                                    const PassphraseSource& source, base::Context& context);

} // namespace acmetool::acme
