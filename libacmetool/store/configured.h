#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/secret.h"
#include "crypto/cert.h"
#include "crypto/crl.h"
#include "crypto/key.h"

/// Files that a configuration or an option names. Whatever is wrong with one is Errc::config, unless a signal
/// ended the wait for a pipe (interrupted). `what`, if not empty, is put before the message: the option, the
/// key of the configuration file, or what the file is.
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

/// The CRLs of a file, PEM or DER, at least one.
ACMETOOL_EXPORT Result<std::vector<crypto::Crl>> read_configured_crls(const std::string& file,
                                                                      std::string_view what = {});

/// The CRLs of these sources. Those of URLs are in `fetched`, which may be null.
ACMETOOL_EXPORT Result<std::shared_ptr<const crypto::CrlSet>>
read_crl_sources(const crypto::CrlOptions& options, std::shared_ptr<const crypto::FetchedCrls> fetched);

/// The CRLs of an option with files, for StaleCrl::refuse; null if there is none.
ACMETOOL_EXPORT Result<std::shared_ptr<const crypto::CrlSet>>
read_crl_files(const std::vector<std::string>& files, std::string_view what);

/// The private key of a PEM file. A wrong passphrase is reported as by crypto::parse_private_key().
ACMETOOL_EXPORT Result<crypto::Key> read_configured_key(const std::string& file, std::string_view what = {},
                                                        const base::Secret& passphrase = {});

} // namespace acmetool::store
