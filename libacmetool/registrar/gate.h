#pragma once

#include "enrol/registration_authority.h"
#include "registrar/registrar.h"

namespace acmetool::registrar
{

/// The registration authority as devices of BRSKI manufacturers see it: closed to them until their voucher
/// was forwarded and their audit log was found good (RFC 8995 sections 5.8.3 and 5.9).
class Gate final : public enrol::RegistrationAuthority
{
public:
    /// Neither is owned.
    Gate(enrol::RegistrationAuthority& behind, Registrar& registrar) : behind_(behind), registrar_(registrar)
    {
    }
    void enrol(enrol::EnrolRequest request, std::function<void(enrol::Decision)> done) override;
    void csr_attributes(enrol::Peer peer, const std::string& label,
                        std::function<void(enrol::AttributesDecision)> done) override;
    std::optional<std::vector<crypto::Certificate>> ca_certificates(const std::string& label) override;

private:
    enrol::RegistrationAuthority& behind_;
    Registrar& registrar_;
};

} // namespace acmetool::registrar
