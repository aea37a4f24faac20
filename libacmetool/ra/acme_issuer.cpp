#include "ra/acme_issuer.h"
namespace acmetool::ra
{
Result<std::unique_ptr<Issuer>> make_acme_issuer(const Options&)
{
    return fail(Errc::internal, "not built");
}
} // namespace acmetool::ra
