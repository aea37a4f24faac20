#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/secret.h"
#include "crypto/cert.h"
#include "crypto/key.h"

/// Files that a configuration or an option names. Whatever is wrong with one is Errc::config; `what`, if not
/// empty, is put before the message: the option, the key of the configuration file, or what the file is.
namespace acmetool::store
{

/// All of the file, 16 MiB at most.
ACMETOOL_EXPORT Result<std::string> read_configured(const std::string& file, std::string_view what = {});

/// The same for a secret, as it stands there.
ACMETOOL_EXPORT Result<base::Secret> read_configured_secret(const std::string& file,
                                                            std::string_view what = {});

/// The certificates of a PEM file, in its order, at least one.
ACMETOOL_EXPORT Result<std::vector<crypto::Certificate>>
read_configured_certificates(const std::string& file, std::string_view what = {});

/// The private key of a PEM file. A wrong passphrase is reported as by crypto::parse_private_key().
ACMETOOL_EXPORT Result<crypto::Key> read_configured_key(const std::string& file, std::string_view what = {},
                                                        const base::Secret& passphrase = {});

} // namespace acmetool::store
