#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace acmetool::cli
{

/// The word of `known` that `given` was probably meant to be: with few different characters relative to its
/// length, whatever their case, or the only one that it begins. Empty if there is none.
std::string nearest(std::string_view given, const std::vector<std::string>& known);

/// A hint with that word, or `otherwise` if there is none.
std::string did_you_mean(std::string_view given, const std::vector<std::string>& known,
                         std::string otherwise = {});

} // namespace acmetool::cli
