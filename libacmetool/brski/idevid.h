#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "crypto/cert.h"

/// What BRSKI reads from a device's manufacturer certificate (RFC 8995 section 2.3).
namespace acmetool::brski
{

inline constexpr std::string_view kMasaUrlExtension = "1.3.6.1.5.5.7.1.32";
inline constexpr std::string_view kWellKnown = "/.well-known/brski";

/// The target of one resource: "/.well-known/brski/requestvoucher".
ACMETOOL_EXPORT std::string well_known(std::string_view resource);

/// The base URL of the MASA that the IDevID names, "https://masa.example:9443/.well-known/brski": always
/// HTTPS, the well-known path added where the extension has an authority alone (section 2.3.2). Nothing where
/// there is no such extension. Errc::bad_input, reason "masaUrl".
ACMETOOL_EXPORT Result<std::optional<std::string>> masa_url(const crypto::Certificate& idevid);

/// What the extension says as a base URL.
ACMETOOL_EXPORT Result<std::string> parse_masa_url(std::string_view text);

/// The content of the authority key identifier extension, which idevid-issuer repeats; empty where there is
/// none.
ACMETOOL_EXPORT Bytes idevid_issuer(const crypto::Certificate& idevid);

} // namespace acmetool::brski
