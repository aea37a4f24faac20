#include "registrar/teap_vouchers.h"

#include <mutex>
#include <shared_mutex>

#include "base/body_text.h"
#include "base/text.h"
#include "brski/envelope.h"
#include "brski/idevid.h"
#include "brski/status.h"
#include "http/retry_after.h"

namespace acmetool::registrar
{
namespace
{

constexpr int kUnauthorized = 401;
constexpr int kServerError = 500;
constexpr std::size_t kLongestText = 300;
constexpr std::chrono::seconds kUsualWait{10};

/// What a pledge would have POSTed to the registrar over a TLS connection of its own.
http::ServerRequest request_of(const enrol::Peer& peer, std::string_view resource, std::string type,
                               std::string body)
{
    http::ServerRequest request;
    request.method = "POST";
    request.target = brski::well_known(resource);
    request.headers = {{"content-type", type}, {"accept", std::move(type)}};
    request.body = std::move(body);
    request.peer = peer.address;
    auto tls = std::make_shared<http::TlsFacts>();
    tls->certificates = peer.certificates;
    request.tls = std::move(tls);
    return request;
}

enrol::VoucherDecision decision_of(const http::ServerResponse& response)
{
    if (response.status == 200) return enrol::VoucherGranted{{response.body.begin(), response.body.end()}};
    if (response.status == 202) {
        const auto text = http::find(response.headers, "retry-after").value_or("");
        const auto when = http::parse_retry_after(text, base::TimePoint{});
        return enrol::VoucherLater{when.value_or(kUsualWait)};
    }
    // A 401 comes without its sentence, and for one reason (RFC 8995 section 5.2).
    if (response.status == kUnauthorized)
        return enrol::VoucherRefused{false, "the voucher-request names another registrar"};
    return enrol::VoucherRefused{response.status >= kServerError,
                                 base::printable(base::trim_body(response.body), kLongestText)};
}

} // namespace

struct TeapVouchers::Gate {
    std::shared_mutex mutex;
    bool open = true;
};

TeapVouchers::TeapVouchers(Registrar& registrar) : registrar_(registrar), gate_(std::make_shared<Gate>()) {}
TeapVouchers::~TeapVouchers() = default;

bool TeapVouchers::wants_voucher(const enrol::Peer& peer) const
{
    return registrar_.is_device(peer);
}

void TeapVouchers::request_voucher(enrol::Peer peer, Bytes request,
                                   std::function<void(enrol::VoucherDecision)> done)
{
    const auto format = !request.empty() && request.front() == '{' ? brski::Format::jws : brski::Format::cms;
    registrar_.handle(request_of(peer, "requestvoucher", std::string{brski::media_type(format)},
                                 {request.begin(), request.end()}),
                      [gate = gate_, done = std::move(done)](const http::ServerResponse& response) {
                          const std::shared_lock lock{gate->mutex};
                          if (gate->open) done(decision_of(response));
                      });
}

void TeapVouchers::voucher_status(const enrol::Peer& peer, bool good, const std::string& reason)
{
    brski::Status status;
    status.status = good;
    status.reason = reason;
    registrar_.handle(request_of(peer, "voucher_status", "application/json", brski::to_json(status)),
                      [](const http::ServerResponse&) {});
}

void TeapVouchers::stop()
{
    const std::unique_lock lock{gate_->mutex};
    gate_->open = false;
}

} // namespace acmetool::registrar
