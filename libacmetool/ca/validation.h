#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "acme/persistent_record.h"
#include "base/bytes.h"
#include "base/context.h"
#include "base/result.h"
#include "base/time.h"
#include "dns/query.h"

namespace acmetool::ca
{

/// How dns-persist-01 is offered (draft-ietf-acme-dns-persist): with the account's URL as accounturi, which
/// the challenge has (drafts to -01), with a hash of it (-02), or with the members of both, either accepted.
enum class DnsPersist { off, url, hash, both };

struct ValidationOptions {
    dns::Resolver resolver;
    std::uint16_t http_port = 80;
    std::uint16_t tls_port = 443;
    bool allow_loopback = false; ///< http-01 and tls-alpn-01 targets on this host: for labs
    std::vector<std::string>
        issuer_domains;       ///< names of this CA in CAA and dns-persist-01 records; at most 10
    bool caa = false;         ///< CAA records are obeyed at issuance; needs issuer_domains
    bool dns_account = false; ///< dns-account-01 is offered
    DnsPersist dns_persist = DnsPersist::off; ///< needs issuer_domains
};

/// What a validation found wrong: an ACME error word and a sentence. Nothing of a fetched body is ever in it.
struct ValidationFailure {
    std::string type; ///< "dns", "connection", "incorrectResponse", "unauthorized", "tls"
    std::string detail;
    int status = 403; ///< of the problem document
};

/// dns-01: looks for `value` among the TXT records at `name`, CNAMEs followed (RFC 8555 section 8.4).
std::optional<ValidationFailure> validate_dns01(const ValidationOptions& options, const std::string& name,
                                                const std::string& value, base::Context& context);

/// http-01: fetches the token's URL (RFC 8555 section 8.3). The name is resolved by our resolver, and only
/// addresses that a public host may have are asked. Redirects are followed, under the same rules, to the
/// ports of http and https. `name` may be an address (RFC 8738 section 4).
std::optional<ValidationFailure> validate_http01(const ValidationOptions& options, const std::string& name,
                                                 const std::string& token,
                                                 const std::string& key_authorization,
                                                 base::Context& context);

/// tls-alpn-01: a handshake with ALPN "acme-tls/1" has to show a self-signed certificate for just `name`,
/// with `digest` (SHA-256 of the key authorization) in a critical acmeIdentifier (RFC 8737 section 3). `name`
/// may be an address (RFC 8738 section 6).
std::optional<ValidationFailure> validate_tls_alpn01(const ValidationOptions& options,
                                                     const std::string& name, const Bytes& digest,
                                                     base::Context& context);

/// dns-persist-01: looks at _validation-persist.`name` for a record with one of the URIs `accounts`, and puts
/// it into `found`; `wide` (wildcards, subdomains) asks for policy=wildcard (draft-ietf-acme-dns-persist).
std::optional<ValidationFailure> validate_dns_persist01(const ValidationOptions& options,
                                                        const std::string& name,
                                                        const std::vector<std::string>& accounts, bool wide,
                                                        acme::PersistentRecord& found,
                                                        base::Context& context);

/// The first address of `name` that may be asked, `name` itself where it is one; a failure where there is
/// none.
std::optional<ValidationFailure> find_address(const ValidationOptions& options, const std::string& name,
                                              std::string& address, base::Context& context);

/// The acmeIdentifier in a certificate for just `name` whose digest it is, or what is wrong with it. Pure.
ACMETOOL_EXPORT std::optional<std::string>
check_acme_identifier(ByteView certificate_der, const std::string& name, const Bytes& digest);

/// True for what is no address, and for addresses to which a request of ours must not be led: all that are
/// not public (net/address_rules.h). `allow_loopback` excepts 127.0.0.0/8 and ::1.
ACMETOOL_EXPORT bool is_forbidden_target(const std::string& address, bool allow_loopback);

} // namespace acmetool::ca
