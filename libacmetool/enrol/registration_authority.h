#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "acmetool/export.h"
#include "base/executor.h"
#include "base/secret.h"
#include "crypto/cert.h"
#include "crypto/csr.h"
#include "crypto/digest.h"

/// The interface between a protocol (EST, BRSKI, TEAP) and the registration authority, which ra/ implements.
/// Independent of HTTP and EAP.
namespace acmetool::enrol
{

/// A login by HTTP Digest (RFC 7616), which shows that the peer knows a password. The nonce was current.
struct DigestLogin {
    crypto::Hash algorithm = crypto::Hash::sha256;
    std::string rest;     ///< `response` must be the hash of: H(A1) of the user, a colon, and this
    std::string response; ///< lower-case hexadecimal
    /// To be called once the response is right; false if it was used before.
    std::function<bool()> spend;
};

/// The peer's identity as the protocol received it. The registration authority decides whether it is valid.
struct Peer {
    /// The TLS client's certificates, end entity first. The peer proved possession of the key; no path was
    /// verified.
    std::vector<crypto::Certificate> certificates;
    std::string user;                  ///< HTTP Basic or Digest (RFC 7030 section 3.2.3); empty: none given
    base::Secret password;             ///< of `user`
    std::optional<DigestLogin> digest; ///< of `user`, instead of `password`
    std::string address;               ///< for logs and limits
    /// Where work on the request goes on after somebody was waited for; empty: on any thread.
    std::weak_ptr<base::Executor> executor = {};

    Peer clone() const;
};

/// "SUBJECT serial NUMBER" of the end entity, for logs: nothing was verified. Empty without a certificate.
ACMETOOL_EXPORT std::string holder_of(const std::vector<crypto::Certificate>& certificates);

/// The channel binding in the CSR's challengePassword (RFC 7030 section 3.5), as compared by the protocol.
enum class Binding { absent, matches, differs };

struct EnrolRequest {
    std::string request_id; ///< links the device's request, the order and the DNS update in the logs
    Peer peer;
    std::string label;    ///< CA label of the URI (RFC 7030 section 3.2.2); may be empty
    bool renewal = false; ///< simplereenroll: Subject and SAN must be those of the peer's certificate
    /// The protocol does not say whether it is a renewal (TEAP): it is one if the peer shows a certificate
    /// that was issued here and requests its names again.
    bool may_renew = false;
    crypto::Csr csr; ///< its signature was verified
    Binding binding = Binding::absent;
    std::string binding_type; ///< of the connection: "tls-unique", "tls-exporter"; empty: it has none
    /// A different binding may come from an RA, whose clients have other channels (RFC 7030 section 3.7).
    bool relayed_by_ra = false;
    /// How long the answer may wait for the CA; absent: as the registration authority is configured.
    std::optional<std::chrono::milliseconds> wait;
};

/// Why a request is refused; each protocol maps this to its own codes. The numbers are
/// stored (ra/records): a new one gets the next, and none is given to another meaning.
enum class Refusal {
    unauthenticated = 0,        ///< no identity was presented, or it is invalid: EST 401
    forbidden = 1,              ///< the device may not enrol (unknown, revoked, blocked): EST 403
    bad_request = 2,            ///< CMC badRequest, TEAP 1025: the content of the CSR is not allowed
    bad_identity = 3,           ///< CMC badIdentity, TEAP 1024: a name that does not belong to this device
    pop_failed = 4,             ///< CMC popFailed: the channel binding is missing or from another connection
    not_found = 5,              ///< no such label
    too_many = 6,               ///< the limit of the device or of the relay is reached; see retry_after
    unavailable = 7,            ///< the CA limits requests or is unavailable; see retry_after
    internal = 8,               ///< CMC internalCAError, TEAP 1026: the CA failed or refused in another way
    unsupported_algorithm = 9,  ///< CMC badRequest, TEAP 1022: a key that is not allowed
    unsupported_extension = 10, ///< CMC badRequest, TEAP 1023: an extension that is not allowed
};

inline constexpr Refusal kLastRefusal = Refusal::unsupported_extension;

/// The name of a refusal in logs and events: "badIdentity".
ACMETOOL_EXPORT std::string_view name_of(Refusal refusal);
/// The refusal of that name.
ACMETOOL_EXPORT std::optional<Refusal> refusal_named(std::string_view name);

/// What a refusal rests on: finer than Refusal, and what an operator does about it depends on it. Logs and
/// events have it by its name.
enum class Ground {
    none, ///< the Refusal says all
    // unauthenticated
    no_identity,
    wrong_password,
    login_used,
    unknown_issuer,
    invalid_certificate,
    out_of_dates,
    revoked_by_crl,
    not_for_clients,
    not_a_device,
    only_for_renewal,
    // forbidden
    revoked,
    key_revoked,
    blocked,
    not_in_inventory,
    other_label,
    other_manufacturer,
    several_devices,
    user_without_names,
    device_without_names,
    not_the_certificate_to_renew,
    // bad_identity
    not_certifiable,
    foreign_domain,
    other_name,
    name_taken,
    no_name_yet,
    differs_from_certificate,
    // bad_request
    not_a_dns_name,
    no_names,
    too_many_names,
    name_not_in_san,
    malformed,
    content_not_allowed,
    // pop_failed
    other_binding,
    no_binding,
    // not_found
    unknown_label,
    // too_many
    too_many_passwords,
    too_many_orders,
    // unavailable
    store_away,
    queue_full,
    revocation_unknown,
    // unsupported_algorithm, unsupported_extension
    explicit_curve,
    other_key_type,
    weak_key,
    extension_not_allowed,
    // an order's, with the Refusal that its failure is mapped to
    order_failed,
    failure_remembered,
};
inline constexpr Ground kLastGround = Ground::failure_remembered;

/// "notInInventory"; empty for `none`.
ACMETOOL_EXPORT std::string_view name_of(Ground ground);
/// The ground of that name; `none` if there is none.
ACMETOOL_EXPORT Ground ground_named(std::string_view name);
/// How a request is refused on this ground. Of orders it is `unavailable`, as long as nobody says more.
ACMETOOL_EXPORT Refusal refusal_on(Ground ground);

struct Issued {
    crypto::Certificate certificate; ///< only the end entity (INT-21)
};
struct Pending {
    std::chrono::seconds retry_after;
};
struct Refused {
    Refusal why = Refusal::internal;
    std::string text; ///< one sentence for the device's operator; lower case, no full stop
    std::optional<std::chrono::seconds> retry_after;
    /// The peer's identity held, and something else is refused. Only then may a protocol sign the refusal
    /// (SEC-10).
    bool authenticated = false;
    Ground ground = Ground::none;
};
using Decision = std::variant<Issued, Pending, Refused>;

/// The required content of this peer's CSR (RFC 7030 section 4.5, RFC 9908).
struct CsrAttributes {
    std::vector<crypto::Identifier> identifiers; ///< SAN entries; none for a peer without an identity
    std::string key_type;                        ///< "ec:P-256", "rsa:2048"; empty: any that is strong enough
    bool channel_binding = false;                ///< challengePassword is requested
    std::vector<std::string> extensions;         ///< OIDs of further extensions to request, dotted decimal
    bool issued_here = false; ///< the peer presented a certificate issued by this registration authority
    /// That certificate has expired and authenticates only its renewal, nothing else.
    bool must_renew = false;
    /// The peer's identity held. False: these are the general requirements, which anybody may know.
    bool authenticated = false;
    std::string why_not = {}; ///< why it did not hold, for the operator; empty if it did
    /// From the registration authority's records, independent of the subject of the peer's certificate; empty
    /// for a peer without an identity, the last two also for users.
    std::string device = {}; ///< identifier, as in events
    std::string device_serial = {};
    std::string manufacturer = {}; ///< its name in the configuration; also empty if it has none
};
using AttributesDecision = std::variant<CsrAttributes, Refused>;

class RegistrationAuthority
{
public:
    virtual ~RegistrationAuthority() = default;

    /// Decides on a request. `done` is called exactly once, immediately or within the configured short wait,
    /// from any thread. The decision is durable by then: a Pending order is continued after a crash, and the
    /// same or a re-signed CSR (INT-12, INT-13) finds it.
    virtual void enrol(EnrolRequest request, std::function<void(Decision)> done) = 0;

    /// The required content of the peer's CSR. `done` as above.
    virtual void csr_attributes(Peer peer, const std::string& label,
                                std::function<void(AttributesDecision)> done) = 0;

    /// Root and intermediates for `label` (INT-21 to INT-23); nothing if the label is unknown. Never blocks.
    virtual std::optional<std::vector<crypto::Certificate>> ca_certificates(const std::string& label) = 0;
};

} // namespace acmetool::enrol
