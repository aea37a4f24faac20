#pragma once

#include <memory>

#include "enrol/voucher_authority.h"
#include "registrar/registrar.h"

namespace acmetool::registrar
{

/// The relay's BRSKI registrar for pledges whose voucher-requests come inside a TEAP tunnel.
class ACMETOOL_EXPORT TeapVouchers final : public enrol::VoucherAuthority
{
public:
    /// `registrar` is not owned, and outlives this object or is not used after stop().
    explicit TeapVouchers(Registrar& registrar);
    ~TeapVouchers() override;
    TeapVouchers(const TeapVouchers&) = delete;
    TeapVouchers& operator=(const TeapVouchers&) = delete;

    bool wants_voucher(const enrol::Peer& peer) const override;
    void request_voucher(enrol::Peer peer, Bytes request,
                         std::function<void(enrol::VoucherDecision)> done) override;
    void voucher_status(const enrol::Peer& peer, bool good, const std::string& reason) override;

    /// Nobody is told anything any more; returns when the last one was.
    void stop();

private:
    struct Gate;
    Registrar& registrar_;
    std::shared_ptr<Gate> gate_;
};

} // namespace acmetool::registrar
