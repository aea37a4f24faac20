#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

/// Domain names in the form of certificates and ACME: A-labels in lower case, no trailing dot.
namespace acmetool::dns
{

struct NameRules {
    bool allow_wildcard = false; ///< "*" as the whole left-most label
};

/// Checks and normalises a name given by a person or a CSR.
///
/// U-labels become A-labels (IDNA 2008, non-transitional), upper case becomes lower case, one trailing dot is
/// dropped. LDH labels of 1 to 63 octets, at most 253 in total (RFC 1034 section 3.5, RFC 1035 section
/// 2.3.4); no underscore, no IP literal, "xn--" labels must decode, other labels with "--" in positions 3 and
/// 4 are refused (RFC 5890 section 2.3.1). Errc::bad_input; reasons: emptyName, nameTooLong, labelTooLong,
/// underscoreInName, badLabel, badALabel, ipLiteral, wildcardNotAllowed.
ACMETOOL_EXPORT Result<std::string> normalize_name(std::string_view name, NameRules rules = {});

/// The normal form of each, in the given order. A name that is given twice is returned once.
ACMETOOL_EXPORT Result<std::vector<std::string>> normalize_names(const std::vector<std::string>& names,
                                                                 NameRules rules = {});

/// True if `name` is below `ancestor` by whole labels, case-insensitively; a name is not its own subdomain
/// (RFC 9444 section 2).
ACMETOOL_EXPORT bool is_subdomain_of(std::string_view name, std::string_view ancestor);

/// True if both are the same name, ignoring case and a trailing dot.
ACMETOOL_EXPORT bool same_name(std::string_view a, std::string_view b);

/// "_acme-challenge.<identifier>", without a leading "*." of the identifier (RFC 8555 section 8.4).
ACMETOOL_EXPORT std::string validation_name(std::string_view identifier);

/// True if `text` is an IPv4 or IPv6 address literal.
ACMETOOL_EXPORT bool is_ip_literal(std::string_view text);

} // namespace acmetool::dns
