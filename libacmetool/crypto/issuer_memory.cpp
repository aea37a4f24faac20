#include "crypto/issuer_memory.h"

#include <utility>

#include "base/bytes.h"

namespace acmetool::crypto
{

IssuerMemory& IssuerMemory::instance()
{
    static IssuerMemory memory;
    return memory;
}

std::string IssuerMemory::name_of(const Certificate& certificate, const Certificate& issuer)
{
    std::string pair{as_text(certificate.sha256())};
    pair += as_text(issuer.sha256());
    return pair;
}

bool IssuerMemory::knows(const std::string& pair)
{
    const std::scoped_lock lock{mutex_};
    return recent_.contains(pair) || earlier_.contains(pair);
}

void IssuerMemory::add(std::string pair)
{
    const std::scoped_lock lock{mutex_};
    if (recent_.size() >= kMost) earlier_ = std::exchange(recent_, {});
    recent_.insert(std::move(pair));
}

} // namespace acmetool::crypto
