#include "registrar/teap_adapter.h"

#include <utility>

#include "base/spread.h"
#include "base/text.h"

namespace acmetool::registrar
{
namespace
{

constexpr std::size_t kLongestText = 300;
constexpr std::size_t kLongestStatusReason = 500;

/// True if nobody refuses: there is no answer.
bool is_unavailable(Cause cause)
{
    return cause == Cause::unavailable || cause == Cause::masa_silent || cause == Cause::masa_pending ||
           cause == Cause::misconfigured;
}

enrol::VoucherDecision voucher_decision(Decision decision)
{
    if (auto* granted = std::get_if<Granted>(&decision))
        return enrol::VoucherGranted{std::move(granted->voucher)};
    if (const auto* later = std::get_if<Later>(&decision))
        return enrol::VoucherLater{base::spread(later->retry_after)};
    const auto& refused = std::get<Refused>(decision);
    return enrol::VoucherRefused{is_unavailable(refused.cause), base::printable(refused.text, kLongestText)};
}

} // namespace

bool TeapAdapter::wants_voucher(const enrol::Peer& peer) const
{
    return registrar_.is_device(peer);
}

void TeapAdapter::request_voucher(enrol::VoucherRequest request,
                                  std::function<void(enrol::VoucherDecision)> done)
{
    const bool is_json = !request.request.empty() && request.request.front() == '{';
    VoucherRequested asked;
    asked.peer = std::move(request.peer);
    asked.format = is_json ? brski::Format::jws : brski::Format::cms;
    asked.accept = brski::media_type(asked.format);
    asked.request = std::move(request.request);
    asked.request_id = std::move(request.request_id);
    asked.wait = request.wait;
    registrar_.request_voucher(std::move(asked), [done = std::move(done)](Decision decision) {
        done(voucher_decision(std::move(decision)));
    });
}

void TeapAdapter::voucher_status(const enrol::Peer& peer, bool good, const std::string& reason)
{
    StatusTold told;
    told.peer.certificates = peer.certificates;
    told.peer.address = peer.address;
    told.status.status = good;
    told.status.reason = base::printable(reason, kLongestStatusReason);
    registrar_.take_status(std::move(told), [](const std::optional<Refused>&) {});
}

} // namespace acmetool::registrar
