// A whole phase 2 at a server that is a BRSKI registrar, too, and asks for the proof of the tunnel last:
// vouchers are granted and certificates issued to whatever the input says (teap_tunnel.h).
#include <cstddef>

#include "teap_tunnel.h"

namespace
{

using namespace acmetool;

class Registrar final : public enrol::VoucherAuthority
{
public:
    bool wants_voucher(const enrol::Peer&) const override { return true; }
    void request_voucher(enrol::VoucherRequest asked,
                         std::function<void(enrol::VoucherDecision)> done) override
    {
        auto& request = asked.request;
        if (request.empty()) std::abort();
        if (request.front() == 'l')
            done(enrol::VoucherLater{std::chrono::seconds{request.size()}});
        else if (request.front() == 'n')
            done(enrol::VoucherRefused{request.size() > 1, "no"});
        else
            done(enrol::VoucherGranted{std::move(request)});
    }
    void voucher_status(const enrol::Peer&, bool, const std::string&) override {}
};

} // namespace

extern "C" int fuzz_teap_voucher(const unsigned char* data, std::size_t size)
{
    auto settings = std::make_shared<teap::ServerSettings>();
    settings->order = teap::Order::binding_last;
    Registrar registrar;
    // Nothing in here proves the tunnel.
    if (fuzz::hostile_peer(settings, true, &registrar, {data, size}) == teap::Outcome::accept) std::abort();
    return 0;
}
