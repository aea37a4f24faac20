#pragma once

#include <string>
#include <string_view>

#include "enrol/events.h"
#include "http/server.h"
#include "registrar/registrar.h"

namespace acmetool::registrar
{

/// The registrar's resources below /.well-known/brski for pledges that come over HTTPS (RFC 8995 section 5).
/// All calls may be made by any thread.
class EstAdapter
{
public:
    /// Both are not owned. `events` is told of the messages.
    EstAdapter(Registrar& registrar, enrol::EventSink& events) : registrar_(registrar), events_(events) {}

    /// True for what is below /.well-known/brski.
    static bool is_target(std::string_view target);
    /// Answers one request, at once or when the MASA has answered.
    void handle(http::ServerRequest request, http::Responder respond);

private:
    http::Responder traced(const http::ServerRequest& request, std::string_view resource,
                           const std::string& request_id, http::Responder respond);
    void request_voucher(http::ServerRequest request, std::string request_id, http::Responder respond);
    void take_status(const http::ServerRequest& request, StatusTold::Of of, http::Responder respond);

    Registrar& registrar_;
    enrol::EventSink& events_;
};

/// RFC 8995 sections 5.2, 5.3 and 5.6.
int http_status_of(Cause cause);

} // namespace acmetool::registrar
