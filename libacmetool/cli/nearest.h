#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace acmetool::cli
{

/// The word of `known` that `given` was meant to be; empty where none is near enough.
std::string nearest(std::string_view given, const std::vector<std::string>& known);

} // namespace acmetool::cli
