#include "crypto/certificate_memory.h"

#include <algorithm>

namespace acmetool::crypto
{

CertificateMemory& CertificateMemory::instance()
{
    static CertificateMemory memory;
    return memory;
}

std::optional<Certificate> CertificateMemory::find(ByteView der)
{
    const std::scoped_lock lock{mutex_};
    const auto found =
        std::ranges::find_if(known_, [&](const Known& known) { return std::ranges::equal(known.der, der); });
    if (found == known_.end()) return {};
    known_.splice(known_.begin(), known_, found);
    return found->certificate;
}

void CertificateMemory::add(ByteView der, const Certificate& certificate)
{
    if (der.size() > kMostOctets) return;
    const std::scoped_lock lock{mutex_};
    known_.push_front({{der.begin(), der.end()}, certificate});
    if (known_.size() > kMost) known_.pop_back();
}

} // namespace acmetool::crypto
