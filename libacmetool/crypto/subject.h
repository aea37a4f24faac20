#pragma once

#include <optional>
#include <string>
#include <vector>

#include "acmetool/export.h"
#include "base/bytes.h"
#include "crypto/cert.h"

/// Names in certificates that are no DNS names or addresses.
namespace acmetool::crypto
{

/// True if `type` is the name of an attribute type, as "serialNumber", or dotted decimal.
ACMETOOL_EXPORT bool is_attribute_type(const std::string& type);

/// The short name of an object identifier in dotted decimal, as "CN"; itself if it has none.
ACMETOOL_EXPORT std::string short_name(const std::string& oid);

/// The values of the subject's attributes of this type, in UTF-8; nothing for one that is empty or no text.
ACMETOOL_EXPORT std::vector<std::optional<std::string>> subject_values(const Certificate& certificate,
                                                                       const std::string& type);

/// The values of the otherName entries of this type (dotted decimal) in the subject alternative name, in DER.
ACMETOOL_EXPORT std::vector<Bytes> other_names(const Certificate& certificate, const std::string& type);

} // namespace acmetool::crypto
