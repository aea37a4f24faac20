#pragma once

#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "crypto/cert.h"
#include "crypto/path.h"

namespace acmetool::crypto
{

/// Paths that were valid just now. The registrar and the registration authority ask for the path of a device
/// one after the other, and each signature on it takes longer than all else about a request. A path is found
/// by everything that its validation depends on: all certificates that the peer sent, the anchors, and the
/// policy with its second. Safe to use from several threads.
class PathMemory
{
public:
    using Path = std::vector<Certificate>;

    /// The process's own.
    static PathMemory& instance();

    /// What a validation is called here; nothing if the answer depends on more: CRLs, or this host's time.
    /// `anchors` is name_of_anchors().
    static std::optional<std::string> name_of(const std::string& anchors, const Path& chain,
                                              const PathPolicy& policy);
    static std::string name_of_anchors(const Path& anchors);

    std::optional<Path> find(const std::string& name);
    /// The oldest of them is forgotten.
    void add(std::string name, Path path);

private:
    static constexpr std::size_t kMost = 32; ///< some milliseconds of a busy relay
    std::mutex mutex_;
    std::deque<std::pair<std::string, Path>> known_;
};

} // namespace acmetool::crypto
