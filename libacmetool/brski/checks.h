#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "brski/envelope.h"
#include "brski/voucher.h"
#include "crypto/anchor_store.h"
#include "crypto/cert.h"
#include "crypto/crl.h"
#include "enrol/device_label.h"

/// Every check that RFC 8995 asks of whom receives a voucher or a voucher-request, each by its name.
namespace acmetool::brski
{

enum class Outcome { passed, failed, skipped };

struct Check {
    std::string name; ///< "nonce"; stable, for scripts
    Outcome outcome = Outcome::skipped;
    std::string text;   ///< what was found; lower case, no full stop
    std::string source; ///< "RFC 8995 section 5.6.1"
};

/// The checks in the order in which they were made. A document counts only if none failed.
struct ACMETOOL_EXPORT Report {
    std::vector<Check> checks;
    bool good() const;
    /// The first failure as an error: refused, its reason the name of the check. Only where there is one.
    Error error(std::string_view what) const;
};

/// What a pledge knows when a voucher arrives (sections 5.6.1 and 5.6.2).
struct PledgeKnowledge {
    crypto::AnchorStore manufacturer; ///< who may sign vouchers
    crypto::Certificate idevid;
    std::string nonce; ///< of its request
    bool allow_nonceless = false;
    std::optional<base::TimePoint> now; ///< nothing where it has no clock: expires-on is not looked at then
    /// As the registrar showed them in the handshake, its own first; empty: that check is skipped.
    std::vector<crypto::Certificate> registrar;
    /// Of the domain, for vouchers with domain-cert-revocation-checks; null: these are refused.
    std::shared_ptr<const crypto::CrlSet> crls = nullptr;
};

struct VoucherVerdict {
    Report report;
    std::optional<Voucher> voucher;            ///< where it could be read
    std::optional<crypto::Certificate> pinned; ///< likewise
};
ACMETOOL_EXPORT VoucherVerdict check_voucher(ByteView octets, const PledgeKnowledge& knowledge);

/// What a registrar knows when a pledge asks (sections 5.2 and 5.5).
struct RegistrarKnowledge {
    crypto::Certificate idevid;             ///< the TLS client's, its path verified by the caller
    crypto::Certificate registrar;          ///< its own TLS server certificate
    enrol::SerialFields serial_fields = {}; ///< of the device's manufacturer
};

struct RequestVerdict {
    Report report;
    std::optional<VoucherRequest> request; ///< where it could be read
};
ACMETOOL_EXPORT RequestVerdict check_pledge_request(const Envelope& envelope,
                                                    const RegistrarKnowledge& knowledge);

/// What a MASA knows when a registrar asks (sections 5.5.1 to 5.5.6).
struct MasaKnowledge {
    crypto::AnchorStore idevid_anchors;
    crypto::AnchorStore registrar_anchors; ///< empty: any registrar is taken, as in section 5.5.3
    bool allow_nonceless = false;          ///< for registrars under `registrar_anchors` alone
    base::TimePoint now{};
    std::chrono::seconds oldest{std::chrono::hours{24}}; ///< of created-on
    enrol::SerialFields serial_fields;                   ///< of its devices
};

struct RegistrarRequestVerdict {
    Report report;
    std::optional<VoucherRequest> request;
    std::vector<crypto::Certificate> registrar; ///< the signer, then its issuers as far as they came along
    std::optional<crypto::Certificate> idevid;  ///< that signed the pledge's request; none for an offline one
    bool proximity = false;                     ///< the pledge said so, and its signature holds
};
ACMETOOL_EXPORT RegistrarRequestVerdict check_registrar_request(const Envelope& envelope,
                                                                const MasaKnowledge& knowledge);

} // namespace acmetool::brski
