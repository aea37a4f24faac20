#include "registrar/gate.h"

#include <memory>
#include <utility>

namespace acmetool::registrar
{

void Gate::enrol(enrol::EnrolRequest request, std::function<void(enrol::Decision)> done)
{
    const auto asked = std::make_shared<enrol::EnrolRequest>(std::move(request));
    registrar_.object(
        asked->peer, [this, asked, done = std::move(done)](std::optional<enrol::Refused> refused) {
            if (refused) return done(std::move(*refused));
            enrol::Peer peer;
            peer.certificates = asked->peer.certificates;
            behind_.enrol(std::move(*asked), [this, peer = std::make_shared<enrol::Peer>(std::move(peer)),
                                              done](enrol::Decision decision) {
                if (const auto* issued = std::get_if<enrol::Issued>(&decision))
                    registrar_.enrolled(*peer, issued->certificate);
                done(std::move(decision));
            });
        });
}

void Gate::csr_attributes(enrol::Peer peer, const std::string& label,
                          std::function<void(enrol::AttributesDecision)> done)
{
    const auto asking = std::make_shared<enrol::Peer>(std::move(peer));
    registrar_.object(*asking,
                      [this, asking, label, done = std::move(done)](std::optional<enrol::Refused> refused) {
                          if (refused) return done(std::move(*refused));
                          behind_.csr_attributes(std::move(*asking), label, done);
                      });
}

std::optional<std::vector<crypto::Certificate>> Gate::ca_certificates(const std::string& label)
{
    return behind_.ca_certificates(label);
}

} // namespace acmetool::registrar
