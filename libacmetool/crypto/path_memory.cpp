#include "crypto/path_memory.h"

#include <algorithm>

#include <fmt/core.h>

#include "base/bytes.h"
#include "crypto/digest.h"

namespace acmetool::crypto
{
namespace
{

std::string digests_of(const PathMemory::Path& certificates)
{
    std::string digests;
    for (const auto& certificate : certificates)
        digests += as_text(certificate.sha256());
    return digests;
}

} // namespace

PathMemory& PathMemory::instance()
{
    static PathMemory memory;
    return memory;
}

std::string PathMemory::name_of_anchors(const Path& anchors)
{
    return to_hex(crypto::sha256(as_bytes(digests_of(anchors))));
}

std::optional<std::string> PathMemory::name_of(const std::string& anchors, const Path& chain,
                                               const PathPolicy& policy)
{
    if (policy.crls || !policy.clock || !policy.at) return {};
    return fmt::format("{} {} {} {} ", anchors, static_cast<int>(policy.purpose),
                       policy.at->time_since_epoch().count(), policy.grace.count()) +
           digests_of(chain);
}

std::optional<PathMemory::Path> PathMemory::find(const std::string& name)
{
    const std::scoped_lock lock{mutex_};
    const auto found = std::ranges::find(known_, name, &std::pair<std::string, Path>::first);
    if (found == known_.end()) return {};
    return found->second;
}

void PathMemory::add(std::string name, Path path)
{
    const std::scoped_lock lock{mutex_};
    known_.emplace_front(std::move(name), std::move(path));
    if (known_.size() > kMost) known_.pop_back();
}

} // namespace acmetool::crypto
