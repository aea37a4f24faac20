#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "acmetool/export.h"
#include "base/cause.h"

namespace acmetool
{

/// The kind of a failure. Programs map it to their exit code (cli/exit_code.h); callers branch on it and on
/// the cause of Error::reason.
enum class Errc {
    usage,                ///< the command line is wrong
    bad_input,            ///< the input is wrong (a CSR, a name, a document)
    unavailable,          ///< the peer cannot be reached, fails, or does not support the request
    internal,             ///< a bug of ours
    cannot_create,        ///< an output already exists or cannot be created
    io,                   ///< reading or writing failed (disk full, closed pipe)
    temporary,            ///< not yet: the same call may succeed later
    protocol,             ///< the peer violated its specification
    refused,              ///< the peer refused
    config,               ///< this host is misconfigured (configuration, key or account file)
    authorization_needed, ///< an order is pending and there is no solver for its challenges
    rate_limited,         ///< the peer limits requests; see retry_after
    interrupted,          ///< a signal asked the program to stop
};

/// Why an operation failed, for people (message, hint) and for programs (code, reason).
struct Error {
    Errc code = Errc::internal;
    std::string message; ///< "newOrder: example.com: unauthorized"; lower case, no full stop
    std::string hint;    ///< what the operator can do next; may be empty
    Reason reason;       ///< a finer word than `code` has; code compares it with a Cause
    std::string
        problem_type; ///< RFC 8555 section 6.7 type sent by the CA, as a whole URN; used for error mappings
    std::string problem; ///< the RFC 9457 document as received (JSON text); may be empty
    std::optional<std::chrono::seconds> retry_after; ///< the peer's Retry-After, relative to the reply
};

/// The word for `code` used in documents and logs, "badInput".
ACMETOOL_EXPORT std::string_view name_of(Errc code);

/// The word for this failure, the "code" of documents: its reason, or the name of its code if it has none.
ACMETOOL_EXPORT std::string name_of(const Error& error);

/// Puts `context` in front of the message: "order for client.example.com: finalize: badCSR".
ACMETOOL_EXPORT Error with_context(Error error, std::string_view context);

} // namespace acmetool
