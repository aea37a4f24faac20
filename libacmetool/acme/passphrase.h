#pragma once

#include <string>

#include "base/context.h"
#include "base/result.h"
#include "base/secret.h"

namespace acmetool::acme
{

/// The source of a private key's passphrase.
struct PassphraseSource {
    std::string file; ///< its first line; also /dev/fd/N for a descriptor; empty: none
    bool ask = false; ///< ask at the terminal, if there is one, no file is given and the key is encrypted
};

/// The first line of `file`; empty if `file` is empty. Errors: config ("noPassphrase").
ACMETOOL_EXPORT Result<base::Secret> read_passphrase(const std::string& file);

/// The passphrase of the key in `key_file`; empty if no file is given and the key is not encrypted or there
/// is no terminal. Errors: those of read_passphrase(), interrupted.
ACMETOOL_EXPORT Result<base::Secret> passphrase_for(const std::string& key_file,
                                                    const PassphraseSource& source, base::Context& context);

} // namespace acmetool::acme
