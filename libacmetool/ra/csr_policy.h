#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/csr.h"
#include "enrol/registration_authority.h"
#include "ra/records.h"

/// What a CSR may ask for, whichever protocol brings it and whoever issues: a list of what is allowed, and
/// all else is refused by its name. Names and keys are judged in ra/policy.h.
namespace acmetool::ra
{

struct ContentsVerdict {
    std::optional<enrol::Refused> refused; ///< attributes and extensions
    /// The subject. It does not count where the subject is that of a certificate issued here, which the peer
    /// showed (RFC 7030 section 4.2.2).
    std::optional<enrol::Refused> subject_refused;
    std::string serial_number; ///< in the subject; has to be the device's own; empty: none there
};

/// `allowed`: object identifiers, dotted decimal, of further extensions, key purposes, attributes of the
/// subject and attributes of the request; and names of further key usages.
ContentsVerdict judge_contents(const crypto::Csr& csr, const std::vector<std::string>& allowed);

/// True for a word that may be in `allowed`. The key usages of CAs may not.
bool can_be_allowed(std::string_view word);

/// The subject, once it is known whose request it is.
std::optional<enrol::Refused> judge_subject(const ContentsVerdict& verdict, const Device& device);

} // namespace acmetool::ra
