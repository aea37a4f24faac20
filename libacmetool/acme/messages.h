#pragma once

#include "acme/session.h"
#include "base/context.h"
#include "http/client.h"

/// ACME requests and replies as trace messages.
namespace acmetool::acme
{

/// The next request for `post`: the request itself, or one for a nonce.
base::Message request_message(const http::Request& request, const Post& post, bool for_nonce);
/// The reply to it.
base::Message reply_message(const base::Message& asked, const Result<http::Response>& outcome,
                            bool for_nonce);

} // namespace acmetool::acme
