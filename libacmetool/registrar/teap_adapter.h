#pragma once

#include "enrol/voucher_authority.h"
#include "registrar/registrar.h"

namespace acmetool::registrar
{

/// The registrar for pledges whose voucher-requests come inside a TEAP tunnel.
class TeapAdapter final : public enrol::VoucherAuthority
{
public:
    /// `registrar` is not owned.
    explicit TeapAdapter(Registrar& registrar) : registrar_(registrar) {}

    bool wants_voucher(const enrol::Peer& peer) const override;
    void request_voucher(enrol::VoucherRequest request,
                         std::function<void(enrol::VoucherDecision)> done) override;
    void voucher_status(const enrol::Peer& peer, bool good, const std::string& reason) override;

private:
    Registrar& registrar_;
};

} // namespace acmetool::registrar
