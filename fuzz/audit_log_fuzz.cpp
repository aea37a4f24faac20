// Audit logs of MASAs.
#include <algorithm>
#include <cstddef>

#include "base/bytes.h"
#include "brski/audit_log.h"
#include "brski/voucher.h"

extern "C" int fuzz_audit_log(const unsigned char* data, std::size_t size)
{
    using namespace acmetool;
    using namespace acmetool::brski;
    const auto log = parse_audit_log(as_text({data, size}));
    if (!log) return 0;
    static_cast<void>(parse_audit_log(to_json(*log)).value());
    const OwnVouchers own{"b3du", "AAAAAAAAAAAAAAAAAAAAAA==", {{1, 2, 3, 4, 5, 6, 7, 8}}};
    const bool good = judge(*log, {}, own).has_value();
    const bool wide = judge(*log, {{"b3du"}, true, true}, own).has_value();
    if (good && !wide) __builtin_trap();
    // No voucher counts that the log does not have.
    if (wide && std::none_of(log->events.begin(), log->events.end(),
                             [&](const AuditEvent& one) { return same_nonce(one.nonce, own.nonce); }))
        __builtin_trap();
    return 0;
}
