// Audit logs of MASAs.
#include <cstddef>

#include "base/bytes.h"
#include "brski/audit_log.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size)
{
    using namespace acmetool;
    using namespace acmetool::brski;
    if (const auto log = parse_audit_log(as_text({data, size})))
        static_cast<void>(parse_audit_log(to_json(*log)).value());
    return 0;
}
