#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/time.h"
#include "ca/refusal.h"
#include "crypto/csr.h"
#include "crypto/key.h"
#include "jose/jws.h"

/// What clients send, parsed: pure functions, apart from the service that acts on it.
namespace acmetool::ca
{

/// A request's JWS with what its protected header says (RFC 8555 section 6.2), not verified yet.
struct ParsedRequest {
    jose::Jws jws;
    std::string algorithm;
    std::string url;
    std::string nonce;
    std::string kid;                ///< empty where there is a "jwk"
    std::optional<crypto::Key> jwk; ///< there is exactly one of the two
};
/// Refusals: malformed, badPublicKey (RSA keys of less than 2048 bits or more than 4096 included).
ACMETOOL_EXPORT Answer<ParsedRequest> parse_request(std::string_view body);

/// "Keys of type ... are not taken" (RFC 8555 section 6.7 badPublicKey), or nothing.
std::optional<std::string> weakness_of(const crypto::Key& key);

/// The key of a stored account. Refusal: badPublicKey, since earlier versions took RSA keys of more than 4096
/// bits.
Answer<crypto::Key> account_key(const base::Json& jwk);

/// newAccount's payload (RFC 8555 section 7.3), and what an account may change of itself.
struct AccountRequest {
    std::optional<base::Json> contact; ///< array of mailto: URLs, each for one address
    bool terms_agreed = false;
    bool only_return_existing = false;
    bool deactivate = false;
    std::optional<base::Json> external_binding; ///< a JWS, as sent
};
/// Refusals: malformed, unsupportedContact, invalidContact.
ACMETOOL_EXPORT Answer<AccountRequest> parse_account_request(const base::Json& payload);

struct OrderIdentifier {
    std::string type;
    std::string value;                   ///< as sent
    std::optional<std::string> ancestor; ///< "ancestorDomain" (RFC 9444 section 4.3)
    bool subdomains = false;             ///< "subdomainAuthAllowed" (section 4.2)
};
/// An identifier object. Refusal: malformed.
Answer<OrderIdentifier> parse_identifier(const base::Json& identifier);

/// newOrder's payload (RFC 8555 section 7.4).
struct NewOrder {
    std::vector<OrderIdentifier> identifiers; ///< 1 to 100
    std::optional<base::TimePoint> not_before;
    std::optional<base::TimePoint> not_after;
    std::string profile;  ///< empty: none named
    std::string replaces; ///< certificate ID (RFC 9773 section 5), or empty
};
/// Refusal: malformed.
ACMETOOL_EXPORT Answer<NewOrder> parse_new_order(const base::Json& payload);

/// finalize's payload, its signature verified: a request with acceptable key and names. Refusals: malformed,
/// badCSR.
ACMETOOL_EXPORT Answer<crypto::Csr> parse_finalize(const base::Json& payload);

/// keyChange's inner JWS (RFC 8555 section 7.3.5), verified with its own "jwk".
struct KeyChange {
    crypto::Key new_key;
    std::string url;
    std::string account; ///< URL
    crypto::Key old_key;
};
/// Refusals: malformed, badPublicKey.
ACMETOOL_EXPORT Answer<KeyChange> parse_key_change(std::string_view inner);

/// The name in its one form. Refusals: unsupportedIdentifier, rejectedIdentifier.
///
/// dns: as dns::normalize_name(), at least two labels. ip: RFC 5952's form (RFC 8738 section 3).
ACMETOOL_EXPORT Answer<std::string> checked_name(const OrderIdentifier& identifier, bool allow_wildcard);

} // namespace acmetool::ca
