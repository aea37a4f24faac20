#pragma once

#include <string>
#include <string_view>

#include "base/json.h"
#include "ra/event_records.h"

namespace acmetool::relay
{

/// An event of the log (enrol::EventSink) as a row of the store, without time, number and relay. Its size is
/// bounded, whatever a peer wrote.
ACMETOOL_EXPORT ra::Event to_row(const base::Json& event);

/// The twelve hexadecimal digits of a MAC address, lower case, in whatever form a NAS writes it, with or
/// without the name of a network behind it; empty if it is none.
ACMETOOL_EXPORT std::string station_of(std::string_view text);

} // namespace acmetool::relay
