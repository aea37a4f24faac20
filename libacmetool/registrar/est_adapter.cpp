#include "registrar/est_adapter.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include <fmt/core.h>

#include "base/spread.h"
#include "base/text.h"
#include "brski/idevid.h"
#include "crypto/digest.h"
#include "http/text_response.h"

namespace acmetool::registrar
{
namespace
{

constexpr std::array<std::pair<Cause, int>, 20> kStatuses{{
    {Cause::malformed, 400},
    {Cause::other_registrar, 401}, // section 5.2; then the connection is
                                   // closed
    {Cause::no_certificate, 403},
    {Cause::unwelcome, 403},
    {Cause::bad_request, 403},
    {Cause::masa_not_allowed, 403},
    {Cause::masa_refused, 403},
    {Cause::bad_voucher, 403},
    {Cause::bad_audit_log, 403},
    {Cause::unknown_device, 404},
    {Cause::unauthenticated, 404},
    {Cause::masa_unknown, 404},
    {Cause::no_such_format, 406},
    {Cause::masa_no_such_format, 406},
    {Cause::replaced, 409},
    {Cause::unknown_media_type, 415},
    {Cause::misconfigured, 500},
    {Cause::unavailable, 503},
    {Cause::masa_silent, 504},
    {Cause::masa_pending, 504},
}};

http::ServerResponse response_to(const Refused& refused)
{
    auto response = http::text_response(http_status_of(refused.cause), refused.text);
    if (refused.retry_after)
        response.headers.emplace_back("Retry-After",
                                      std::to_string(base::spread_after(*refused.retry_after).count()));
    if (refused.cause == Cause::other_registrar) response.headers.emplace_back("Connection", "close");
    return response;
}

http::ServerResponse response_to(Decision decision)
{
    if (const auto* refused = std::get_if<Refused>(&decision)) return response_to(*refused);
    if (const auto* later = std::get_if<Later>(&decision)) {
        auto response = http::text_response(202, {});
        response.headers.emplace_back("Retry-After",
                                      std::to_string(base::spread(later->retry_after).count()));
        return response;
    }
    const auto& granted = std::get<Granted>(decision);
    return {200, {{"Content-Type", granted.type}}, std::string{as_text(granted.voucher)}, false};
}

enrol::Peer peer_of(const http::ServerRequest& request)
{
    enrol::Peer peer;
    if (request.tls) peer.certificates = request.tls->certificates;
    peer.address = request.peer;
    return peer;
}

} // namespace

int http_status_of(Cause cause)
{
    const auto* const found = std::find_if(kStatuses.begin(), kStatuses.end(),
                                           [cause](const auto& row) { return row.first == cause; });
    return found == kStatuses.end() ? 500 : found->second;
}

bool EstAdapter::is_target(std::string_view target)
{
    return target.starts_with(brski::well_known(""));
}

void EstAdapter::handle(http::ServerRequest request, http::Responder respond)
{
    if (!registrar_.has_manufacturers())
        return respond(http::text_response(404, "no device needs a voucher here"));
    auto target = std::string_view{request.target}.substr(0, request.target.find('?'));
    target.remove_prefix(std::min(target.size(), brski::kWellKnown.size() + 1));
    const bool voucher = target == "requestvoucher";
    const bool enrolment = target == "enrollstatus";
    if (!voucher && !enrolment && target != "voucher_status")
        return respond(http::text_response(404, "here are requestvoucher, voucher_status and enrollstatus"));
    if (request.method != "POST") {
        auto response = http::text_response(405, "POST it");
        response.headers.emplace_back("Allow", "POST");
        return respond(std::move(response));
    }
    auto request_id = to_hex(crypto::random_bytes(8));
    if (events_.traces()) respond = traced(request, target, request_id, std::move(respond));
    if (voucher) return request_voucher(std::move(request), std::move(request_id), std::move(respond));
    take_status(request, enrolment ? StatusTold::Of::enrolment : StatusTold::Of::voucher, std::move(respond));
}

/// Tells the trace of the request, and of the answer as soon as the responder that it returns is called.
http::Responder EstAdapter::traced(const http::ServerRequest& request, std::string_view resource,
                                   const std::string& request_id, http::Responder respond)
{
    base::Message asked;
    asked.from = "client";
    asked.to = "ra";
    asked.method = request.method;
    asked.url = brski::well_known(resource);
    asked.label = fmt::format("{} /{}", asked.method, resource);
    asked.request_id = request_id;
    if (request.tls) asked.device = enrol::holder_of(request.tls->certificates);
    events_.message(asked);
    return [&events = events_, asked = std::move(asked), began = std::chrono::steady_clock::now(),
            is_voucher = resource == "requestvoucher",
            respond = std::move(respond)](http::ServerResponse response) {
        base::Message answer;
        answer.from = asked.to;
        answer.to = asked.from;
        answer.url = asked.url;
        answer.request_id = asked.request_id;
        answer.device = asked.device;
        answer.status = response.status;
        answer.label = std::to_string(response.status);
        if (is_voucher && response.status == 200) answer.label += " voucher";
        if (const auto wait = http::find(response.headers, "Retry-After"))
            answer.label += fmt::format(" Retry-After={}", *wait);
        if (response.status >= 400) answer.detail = base::printable(base::trim(response.body), 200);
        answer.took =
            std::chrono::duration_cast<base::Milliseconds>(std::chrono::steady_clock::now() - began);
        events.message(answer);
        respond(std::move(response));
    };
}

void EstAdapter::request_voucher(http::ServerRequest request, std::string request_id, http::Responder respond)
{
    const auto format = brski::format_of(http::find(request.headers, "content-type").value_or(""));
    if (!format)
        return respond(response_to(Refused{
            Cause::unknown_media_type, "a voucher-request is application/voucher-cms+json or -jws+json"}));
    const auto accept = http::find(request.headers, "accept").value_or("");
    const auto wanted = brski::choose_format(accept, *format);
    if (!wanted)
        return respond(response_to(
            Refused{Cause::no_such_format, "vouchers are application/voucher-cms+json or -jws+json"}));
    VoucherRequested asked;
    asked.peer = peer_of(request);
    asked.request.assign(request.body.begin(), request.body.end());
    asked.format = *format;
    asked.accept = accept.empty() ? brski::media_type(*wanted) : accept;
    asked.request_id = std::move(request_id);
    registrar_.request_voucher(std::move(asked), [respond = std::move(respond)](Decision decision) {
        respond(response_to(std::move(decision)));
    });
}

void EstAdapter::take_status(const http::ServerRequest& request, StatusTold::Of of, http::Responder respond)
{
    if (!brski::is_status_type(http::find(request.headers, "content-type").value_or("")))
        return respond(
            response_to(Refused{Cause::unknown_media_type, "a status message is application/json"}));
    StatusTold told;
    told.peer = peer_of(request);
    told.of = of;
    if (!told.peer.certificates.empty()) { // else it is refused unread
        auto status = brski::parse_status(request.body, &told.unknown);
        if (!status) return respond(response_to(Refused{Cause::malformed, status.error().message}));
        told.status = std::move(*status);
    }
    registrar_.take_status(
        std::move(told), [respond = std::move(respond)](const std::optional<Refused>& refused) {
            respond(refused ? response_to(*refused) : http::ServerResponse{200, {}, "", false});
        });
}

} // namespace acmetool::registrar
