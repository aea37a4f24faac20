#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "acmetool/export.h"
#include "base/secret.h"
#include "crypto/cert.h"
#include "crypto/csr.h"

/// What a protocol (EST, BRSKI, TEAP) hands to the registration authority and what it gets back. Neither HTTP
/// nor EAP is in here; ra/ implements it.
namespace acmetool::enrol
{

/// Who asks, as the protocol saw it. Nothing of it was judged yet: the registration authority does that.
struct Peer {
    /// The TLS client's certificates, end entity first. The peer proved that it has the key; no path was
    /// verified.
    std::vector<crypto::Certificate> certificates;
    std::string user;      ///< HTTP Basic (RFC 7030 section 3.2.3); empty: none given
    base::Secret password; ///< of `user`
    std::string address;   ///< for logs and limits

    Peer clone() const;
};

/// The channel binding in the CSR's challengePassword (RFC 7030 section 3.5), as the protocol compared it.
enum class Binding { absent, matches, differs };

struct EnrolRequest {
    std::string request_id; ///< joins the device's request, the order and the DNS update in the logs
    Peer peer;
    std::string label;    ///< CA label of the URI (RFC 7030 section 3.2.2); may be empty
    bool renewal = false; ///< simplereenroll: Subject and SAN have to be those of the peer's certificate
    /// The protocol does not say whether it is a renewal (TEAP): it is one if the peer shows a certificate
    /// that was issued here and requests its names again.
    bool may_renew = false;
    crypto::Csr csr; ///< its signature was verified
    Binding binding = Binding::absent;
    /// What differs may come from an RA, whose clients have channels of their own (RFC 7030 section 3.7).
    bool relayed_by_ra = false;
};

/// Why there will be no certificate for this request; each protocol has its own words for it. The numbers are
/// stored (ra/records): a new one gets the next, and none is given to another meaning.
enum class Refusal {
    unauthenticated = 0,        ///< no identity was shown, or it does not hold: EST 401
    forbidden = 1,              ///< the device may not enrol (unknown, revoked, blocked): EST 403
    bad_request = 2,            ///< CMC badRequest, TEAP 1025: the CSR is not what is certified here
    bad_identity = 3,           ///< CMC badIdentity, TEAP 1024: a name that is not this device's
    pop_failed = 4,             ///< CMC popFailed: the channel binding is missing or another connection's
    not_found = 5,              ///< no such label
    too_many = 6,               ///< the device's or the whole relay's budget is spent; see retry_after
    unavailable = 7,            ///< the CA wants fewer requests or is away; see retry_after
    internal = 8,               ///< CMC internalCAError, TEAP 1026: the CA failed or refused in another way
    unsupported_algorithm = 9,  ///< CMC badRequest, TEAP 1022: a key that is not certified here
    unsupported_extension = 10, ///< CMC badRequest, TEAP 1023: an extension that nobody asked for
};

/// The name of a refusal in logs and events: "badIdentity".
ACMETOOL_EXPORT std::string_view name_of(Refusal refusal);

struct Issued {
    crypto::Certificate certificate; ///< the end entity alone (INT-21)
};
struct Pending {
    std::chrono::seconds retry_after;
};
struct Refused {
    Refusal why = Refusal::internal;
    std::string text; ///< one sentence for whoever sits at the device; lower case, no full stop
    std::optional<std::chrono::seconds> retry_after;
    /// The peer's identity held, and something else is refused. Only then may a protocol sign the refusal
    /// (SEC-10).
    bool authenticated = false;
};
using Decision = std::variant<Issued, Pending, Refused>;

/// What the CSR of this very peer has to hold (RFC 7030 section 4.5, RFC 9908).
struct CsrAttributes {
    std::vector<crypto::Identifier> identifiers; ///< SAN entries; none for a peer without an identity
    std::string key_type;                        ///< "ec:P-256", "rsa:2048"; empty: any that is strong enough
    bool channel_binding = false;                ///< challengePassword is asked for
    std::vector<std::string> extensions;         ///< OIDs of further extensions to ask for, dotted decimal
    bool issued_here = false; ///< the peer showed a certificate that this registration authority issued
    /// The device's serial number as the registration authority knows it, whatever the subject of the peer's
    /// certificate says; empty for users and for a peer without an identity.
    std::string device_serial = {};
};
using AttributesDecision = std::variant<CsrAttributes, Refused>;

class RegistrationAuthority
{
public:
    virtual ~RegistrationAuthority() = default;

    /// Decides on a request. `done` is called exactly once, at once or within the configured short wait, from
    /// any thread. What it says is durable by then: a Pending order is continued after a crash, and the same
    /// or a re-made CSR (INT-12, INT-13) finds it.
    virtual void enrol(EnrolRequest request, std::function<void(Decision)> done) = 0;

    /// What the peer's CSR is to hold. `done` as above.
    virtual void csr_attributes(Peer peer, const std::string& label,
                                std::function<void(AttributesDecision)> done) = 0;

    /// Root and intermediates to hand out for `label` (INT-21 to INT-23); nothing where there is no such
    /// label. Never waits.
    virtual std::optional<std::vector<crypto::Certificate>> ca_certificates(const std::string& label) = 0;
};

} // namespace acmetool::enrol
