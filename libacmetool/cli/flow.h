#pragma once

#include <string>

#include "base/context.h"

namespace acmetool::cli
{

/// The draft's ladder, drawn message by message: client, ACME server and DNS as columns, or device, RA, ACME
/// server and DNS.
class Ladder
{
public:
    /// The lines for one message; the first includes the head of the ladder.
    std::string draw(const base::Message& message);

private:
    bool begun_ = false;
};

} // namespace acmetool::cli
