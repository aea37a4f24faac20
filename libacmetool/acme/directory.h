#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

/// The directory resource (RFC 8555 section 7.1.1) and which URLs belong to it.
namespace acmetool::acme
{

struct ACMETOOL_EXPORT Directory {
    std::string url; ///< of the directory itself
    std::string new_nonce;
    std::string new_account;
    std::string new_order;
    std::string new_authz; ///< empty if the server has no pre-authorization
    std::string revoke_cert;
    std::string key_change;
    std::string renewal_info; ///< RFC 9773; empty if the server has none

    std::string terms_of_service;                ///< meta.termsOfService; empty: none
    bool external_account_required = false;      ///< meta.externalAccountRequired
    bool subdomain_auth_allowed = false;         ///< meta.subdomainAuthAllowed (RFC 9444 section 4.4)
    std::map<std::string, std::string> profiles; ///< meta.profiles: name, description
    std::vector<std::string> caa_identities; ///< meta.caaIdentities (RFC 8555 section 7.1.1): the CA's names
                                             ///< in CAA records, normalised; invalid names are omitted

    std::string account_hash_prefix; ///< meta.accountHashPrefix (draft-ietf-acme-dns-persist-02); empty: the
                                     ///< account's URL is the accounturi of dns-persist-01 records
    std::vector<std::string> issuer_domain_names; ///< meta.issuerDomainNames, likewise: in each challenge of
                                                  ///< dns-persist-01; empty: absent or not as the draft says

    /// True if `resource` has the origin of the directory or of a URL in it. Requests are only sent to these.
    bool owns(std::string_view resource) const;
};

/// Parses the directory document. newNonce, newAccount and newOrder must be https URLs; unknown keys are
/// skipped. Errc::protocol.
ACMETOOL_EXPORT Result<Directory> parse_directory(std::string_view json, std::string_view url);

/// "https://host:port" in lower case, without the default port; empty if `url` is not a plain https URL.
ACMETOOL_EXPORT std::string origin_of(std::string_view url);

} // namespace acmetool::acme
