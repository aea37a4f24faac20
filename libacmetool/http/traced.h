#pragma once

#include "base/context.h"
#include "http/client.h"
#include "http/tls_client.h"

namespace acmetool::http
{

/// The reply to `asked` as a message: the status as label, or "no answer" with the reason.
ACMETOOL_EXPORT base::Message reply_message(const base::Message& asked, const Result<Response>& outcome);

/// Sends `request` and reports it and the reply to `context`: "202 Retry-After=5", or "no answer" with the
/// reason. `asked` has the parties, label and detail; the rest is taken from the request.
ACMETOOL_EXPORT Result<Response> send_traced(Transport& transport, const Request& request,
                                             base::Message asked, base::Context& context);

/// The same for a request without a connection.
ACMETOOL_EXPORT void tell_unreachable(const base::Message& asked, const Error& why, base::Context& context);

} // namespace acmetool::http
