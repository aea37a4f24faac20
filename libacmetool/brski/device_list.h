#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace acmetool::brski
{

/// Reads the lines of a list of devices (base::CsvList), and calls `take` with the fields of each.
/// Errc::config, with this reason, naming file and line; hints are those of `take`.
Result<void> read_device_list(std::string_view text, const std::string& file, std::string_view reason,
                              const std::function<Result<void>(const std::vector<std::string>&)>& take);

/// The error of a line whose device was there before.
tl::unexpected<Error> listed_twice(std::string_view serial);

} // namespace acmetool::brski
