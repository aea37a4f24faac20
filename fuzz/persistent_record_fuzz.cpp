// TXT records at _validation-persist names, and CAA records, whose values have the same syntax.
#include <cstddef>
#include <string_view>

#include "acme/caa.h"
#include "acme/issue_value.h"
#include "acme/persistent_record.h"
#include "base/text.h"

extern "C" int fuzz_persistent_record(const unsigned char* data, std::size_t size)
{
    using namespace acmetool;
    const std::string_view text{reinterpret_cast<const char*>(data), size};
    const base::TimePoint now{std::chrono::seconds{1'800'000'000}};
    const std::string account = "https://ca.example/acct/1";
    const auto granted = [&](bool is_wide) {
        const auto verdict = acme::judge_persistent_record(text, {"ca.example"}, {account}, is_wide, now);
        return verdict && verdict->granted;
    };
    const bool narrow = granted(false);
    const bool wide = granted(true);
    if (wide && !narrow) __builtin_trap();
    const auto record = acme::parse_persistent_record(text);
    if (narrow && (!record || record->account_uri != account)) __builtin_trap();
    // What can be read can be written, and reads the same.
    if (const auto value = acme::parse_issue_value(text)) {
        const auto again = acme::parse_issue_value(*value->text());
        if (!again || again->issuer != value->issuer || again->parameters != value->parameters)
            __builtin_trap();
    }
    const acme::CaaRequest request{{"ca.example"}, account, {"dns-01"}};
    const std::string record_value{text};
    if (narrow && !acme::caa_objection({{0, "issue", record_value + "; accounturi=" + account}}, request))
        __builtin_trap();
    // A word says why not; every tag, and with and without the critical flag.
    for (const char* tag : {"issue", "issuewild", "iodef"})
        if (const auto objection =
                acme::caa_objection({{static_cast<unsigned>(size & 128U), tag, record_value}}, request))
            if (base::printable(*objection, objection->size() + 1) != *objection) __builtin_trap();
    return 0;
}
