// TXT records at _validation-persist names.
#include <cstddef>
#include <string_view>

#include "acme/persistent_record.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size)
{
    using namespace acmetool;
    const std::string_view text{reinterpret_cast<const char*>(data), size};
    const base::TimePoint now{std::chrono::seconds{1'800'000'000}};
    const std::string account = "https://ca.example/acct/1";
    std::string why;
    const bool narrow = acme::is_persistent_permission(text, {"ca.example"}, account, false, now, why);
    const bool wide = acme::is_persistent_permission(text, {"ca.example"}, account, true, now, why);
    if (wide && !narrow) __builtin_trap();
    const auto record = acme::parse_persistent_record(text);
    if (narrow && (!record || record->account_uri != account)) __builtin_trap();
    return 0;
}
