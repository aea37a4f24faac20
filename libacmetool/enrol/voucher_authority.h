#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <variant>

#include "base/bytes.h"
#include "enrol/registration_authority.h"

/// The interface between a protocol that carries vouchers (TEAP) and the BRSKI registrar.
namespace acmetool::enrol
{

/// The voucher for this device, as received (RFC 8366).
struct VoucherGranted {
    Bytes voucher;
};
/// Requested, but not available yet.
struct VoucherLater {
    std::chrono::seconds retry_after;
};
struct VoucherRefused {
    bool unavailable = false; ///< the MASA does not answer; false: the MASA or the registrar refuses
    std::string text;         ///< one sentence; lower case, no full stop
};
using VoucherDecision = std::variant<VoucherGranted, VoucherLater, VoucherRefused>;

/// A pledge's request (RFC 8995 section 5.2).
struct VoucherRequest {
    Peer peer;
    std::string request_id; ///< for logs
    Bytes request;          ///< signed, as received
    /// How long the answer may wait for the MASA.
    std::chrono::milliseconds wait{0};
};

class VoucherAuthority
{
public:
    virtual ~VoucherAuthority() = default;

    /// True if devices with such a certificate may only enrol with a voucher. Never blocks.
    virtual bool wants_voucher(const Peer& peer) const = 0;

    /// Requests a voucher from the manufacturer. `done` is called exactly once, immediately or when the
    /// request has waited, from any thread.
    virtual void request_voucher(VoucherRequest request, std::function<void(VoucherDecision)> done) = 0;

    /// The pledge's report on its voucher (RFC 8995 section 5.7); `reason` if the voucher is not good.
    virtual void voucher_status(const Peer& peer, bool good, const std::string& reason) = 0;
};

} // namespace acmetool::enrol
