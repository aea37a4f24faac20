#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/csr.h"
#include "enrol/registration_authority.h"
#include "ra/records.h"

/// The allowed content of a CSR, for all protocols and issuers: a list of allowed items; everything else is
/// refused by name. ra/policy.h checks names and keys.
namespace acmetool::ra
{

struct ContentsVerdict {
    std::optional<enrol::Refused> refused; ///< attributes and extensions
    /// The subject. It is ignored if the subject is that of an issued certificate that the peer presented
    /// (RFC 7030 section 4.2.2).
    std::optional<enrol::Refused> subject_refused;
    std::string serial_number; ///< in the subject; must be the device's; empty: none
};

/// Gives a request without SAN its common name as name, if `cn_is_name`.
void read_name(crypto::Csr& csr, bool cn_is_name);

/// `allowed`: object identifiers, dotted decimal, of further extensions, key purposes, attributes of the
/// subject and attributes of the request; and names of further key usages.
ContentsVerdict judge_contents(const crypto::Csr& csr, const std::vector<std::string>& allowed);

/// True for a word that is permitted in `allowed`. The key usages of CAs are not.
bool can_be_allowed(std::string_view word);

/// Checks the subject, once the device is known.
std::optional<enrol::Refused> judge_subject(const ContentsVerdict& verdict, const Device& device);

} // namespace acmetool::ra
