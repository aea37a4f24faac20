#pragma once

#include <string_view>

#include "http/server.h"
#include "registrar/registrar.h"

namespace acmetool::registrar
{

/// The registrar's resources below /.well-known/brski for pledges that come over HTTPS (RFC 8995 section 5).
/// All calls may be made by any thread.
class EstAdapter
{
public:
    /// `registrar` is not owned.
    explicit EstAdapter(Registrar& registrar) : registrar_(registrar) {}

    /// True for what is below /.well-known/brski.
    static bool is_target(std::string_view target);
    /// Answers one request, at once or when the MASA has answered.
    void handle(http::ServerRequest request, http::Responder respond);

private:
    void request_voucher(http::ServerRequest request, http::Responder respond);
    void take_status(const http::ServerRequest& request, StatusTold::Of of, http::Responder respond);

    Registrar& registrar_;
};

/// RFC 8995 sections 5.2, 5.3 and 5.6.
int http_status_of(Cause cause);

} // namespace acmetool::registrar
