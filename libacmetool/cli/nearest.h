#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace acmetool::cli
{

/// The word of `known` closest to `given`; empty if none is close enough.
std::string nearest(std::string_view given, const std::vector<std::string>& known);

} // namespace acmetool::cli
