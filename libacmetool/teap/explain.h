#pragma once

#include <string>
#include <vector>

#include "teap/tlv.h"

namespace acmetool::teap
{

/// The content of TLVs, for people: one line each with name, number, M, size and the value decoded or in
/// hexadecimal; TLVs inside others are indented below. "Result (3, M), 2 octets: Success". Nothing secret.
ACMETOOL_EXPORT std::vector<std::string> explain(const Tlvs& tlvs, const BrskiNumbers& numbers = {});

} // namespace acmetool::teap
