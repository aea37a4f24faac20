#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <variant>

#include "base/bytes.h"
#include "enrol/registration_authority.h"

/// What a protocol that carries vouchers inside (TEAP) hands to the BRSKI registrar and what it gets back.
namespace acmetool::enrol
{

/// The manufacturer's word for this device, as it came (RFC 8366).
struct VoucherGranted {
    Bytes voucher;
};
/// Asked for, and not there yet.
struct VoucherLater {
    std::chrono::seconds retry_after;
};
struct VoucherRefused {
    bool unavailable = false; ///< the MASA does not answer; false: it, or the registrar, says no
    std::string text;         ///< one sentence; lower case, no full stop
};
using VoucherDecision = std::variant<VoucherGranted, VoucherLater, VoucherRefused>;

class VoucherAuthority
{
public:
    virtual ~VoucherAuthority() = default;

    /// True where devices that show such a certificate may enrol with a voucher only. Never waits.
    virtual bool wants_voucher(const Peer& peer) const = 0;

    /// Has the manufacturer asked with the pledge's signed voucher-request (RFC 8995 section 5.2). `done` is
    /// called exactly once, at once or within a short wait, from any thread.
    virtual void request_voucher(Peer peer, Bytes request, std::function<void(VoucherDecision)> done) = 0;

    /// What the pledge said of its voucher (RFC 8995 section 5.7); `reason` where it is no good.
    virtual void voucher_status(const Peer& peer, bool good, const std::string& reason) = 0;
};

} // namespace acmetool::enrol
