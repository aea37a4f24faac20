#pragma once

#include <string>

#include "base/context.h"

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

} // namespace acmetool::cli
