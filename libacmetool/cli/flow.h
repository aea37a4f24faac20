#pragma once

#include <string>

#include "base/context.h"
#include "base/result.h"

namespace acmetool::cli
{

/// The draft's ladder, drawn as the messages come: client, ACME server and DNS as columns, or device, RA,
/// ACME server and DNS.
class Ladder
{
public:
    /// The lines for one message, with the head of the ladder before the first.
    std::string draw(const base::Message& message);

private:
    bool begun_ = false;
};

/// Appends to `path`, made with mode 0600 where it is new. Errors: cannot_create, io.
Result<void> append_trace(const std::string& path, std::string_view line);

} // namespace acmetool::cli
