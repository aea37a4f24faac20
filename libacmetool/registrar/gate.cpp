#include "registrar/gate.h"

namespace acmetool::registrar
{

void Gate::enrol(enrol::EnrolRequest request, std::function<void(enrol::Decision)> done)
{
    if (auto refused = registrar_.objection(request.peer)) {
        done(std::move(*refused));
        return;
    }
    enrol::Peer peer;
    peer.certificates = request.peer.certificates;
    behind_.enrol(std::move(request), [this, peer = std::make_shared<enrol::Peer>(std::move(peer)),
                                       done = std::move(done)](enrol::Decision decision) {
        if (const auto* issued = std::get_if<enrol::Issued>(&decision))
            registrar_.enrolled(*peer, issued->certificate);
        done(std::move(decision));
    });
}

void Gate::csr_attributes(enrol::Peer peer, const std::string& label,
                          std::function<void(enrol::AttributesDecision)> done)
{
    if (auto refused = registrar_.objection(peer)) {
        done(std::move(*refused));
        return;
    }
    behind_.csr_attributes(std::move(peer), label, std::move(done));
}

std::optional<std::vector<crypto::Certificate>> Gate::ca_certificates(const std::string& label)
{
    return behind_.ca_certificates(label);
}

} // namespace acmetool::registrar
