#pragma once

#include <string>

#include "base/context.h"
#include "base/result.h"
#include "dns/query.h"
#include "dns/tsig.h"
#include "net/endpoint.h"

namespace acmetool::dns
{

enum class Change { add, remove };

/// Adds a TXT value to the RRset at `name`, or removes it (RFC 2136 sections 2.5.1 and 2.5.4); other values
/// are unchanged. Adding an existing value and removing an absent one succeed.
///
/// With a key, the request is signed and the answer must be signed (RFC 8945 sections 5.3 and 5.4). Errors:
/// refused ("tsigBadKey", "tsigBadSig", "tsigBadTime", "dnsRefused"), protocol ("tsigUnsigned"), those of
/// exchange().
ACMETOOL_EXPORT Result<void> update_txt(const net::Endpoint& server, const TsigKey* key,
                                        const std::string& zone, const std::string& name,
                                        const std::string& value, Change change, base::Context& context);

} // namespace acmetool::dns
