#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "crypto/cert.h"

/// The fields of a device's manufacturer certificate that BRSKI uses (RFC 8995 section 2.3).
namespace acmetool::brski
{

inline constexpr std::string_view kMasaUrlExtension = "1.3.6.1.5.5.7.1.32";
inline constexpr std::string_view kWellKnown = "/.well-known/brski";

/// The target of one resource: "/.well-known/brski/requestvoucher".
ACMETOOL_EXPORT std::string well_known(std::string_view resource);

/// The base URL of the MASA in the IDevID, "https://masa.example:9443/.well-known/brski": always HTTPS, with
/// the well-known path added if the extension has only an authority (section 2.3.2). Nothing if there is no
/// such extension. Errc::bad_input, reason "masaUrl".
ACMETOOL_EXPORT Result<std::optional<std::string>> masa_url(const crypto::Certificate& idevid);

/// The base URL for the content of the extension.
ACMETOOL_EXPORT Result<std::string> parse_masa_url(std::string_view text);

/// The content of the authority key identifier extension, which idevid-issuer repeats; empty if there is
/// none.
ACMETOOL_EXPORT Bytes idevid_issuer(const crypto::Certificate& idevid);

} // namespace acmetool::brski
