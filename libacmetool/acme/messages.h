#pragma once

#include "acme/session.h"
#include "base/context.h"
#include "http/client.h"

/// How a trace tells of ACME requests and replies.
namespace acmetool::acme
{

/// What is about to be sent for `post`: the request itself, or one for a nonce.
base::Message request_message(const http::Request& request, const Post& post, bool for_nonce);
/// What came back for it.
base::Message reply_message(const base::Message& asked, const Result<http::Response>& outcome,
                            bool for_nonce);

} // namespace acmetool::acme
