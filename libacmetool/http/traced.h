#pragma once

#include "base/context.h"
#include "http/client.h"
#include "http/tls_client.h"

namespace acmetool::http
{

/// What came back for `asked`: the status as label, or "no answer" with the reason.
ACMETOOL_EXPORT base::Message reply_message(const base::Message& asked, const Result<Response>& outcome);

/// Sends `request`, and tells `context` of it and of the reply: "202 Retry-After=5", or "no answer" with the
/// reason. `asked` says who asks whom, with label and detail; the rest of it comes from the request.
ACMETOOL_EXPORT Result<Response> send_traced(Transport& transport, const Request& request,
                                             base::Message asked, base::Context& context);

/// The same for a request that there was no connection for.
ACMETOOL_EXPORT void tell_unreachable(const base::Message& asked, const Error& why, base::Context& context);

} // namespace acmetool::http
