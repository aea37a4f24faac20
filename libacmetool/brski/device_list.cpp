#include "brski/device_list.h"

#include <fmt/core.h>

#include "base/csv.h"
#include "base/text.h"

namespace acmetool::brski
{

Result<void> read_device_list(std::string_view text, const std::string& file, std::string_view reason,
                              const std::function<Result<void>(const std::vector<std::string>&)>& take)
{
    base::CsvList list;
    unsigned number = 0;
    for (const auto line : base::split(base::without_byte_order_mark(text), '\n')) {
        ++number;
        const auto taken = [&]() -> Result<void> {
            ACMETOOL_TRY(fields, list.read(line));
            return fields ? take(*fields) : Result<void>{};
        }();
        if (!taken)
            return fail(Errc::config, fmt::format("{}:{}: {}", file, number, taken.error().message),
                        taken.error().hint, std::string{reason});
    }
    return {};
}

tl::unexpected<Error> listed_twice(std::string_view serial)
{
    return fail(Errc::config, fmt::format("{} is listed twice", base::printable(serial, 60)));
}

} // namespace acmetool::brski
