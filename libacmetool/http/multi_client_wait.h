#pragma once

#include <memory>
#include <vector>

#include "base/descriptor.h"
#include "base/worker.h"
#include "http/multi_client.h"

#include "acmetool/export.h"

namespace acmetool::http
{

/// What a base::Worker does between its tasks: it runs the transfers of some MultiClients.
///
/// All calls but wake() belong to the worker's thread. The worker owns this; keep a pointer for its tasks.
/// Callbacks of requests run on the worker's thread, none after Worker::stop(): requests under way are then
/// forgotten.
class ACMETOOL_EXPORT MultiClientWait final : public base::Worker::Wait
{
public:
    MultiClientWait(); ///< throws std::system_error if the system has no more file descriptors

    void wait(base::Worker::Clock::time_point until) override;
    void wake() override;

    /// Runs the client's transfers from now on. May be called before the worker is started.
    MultiClient& add(std::unique_ptr<MultiClient> client);
    /// Destroys one of these clients. Requests under way are forgotten: their callbacks are destroyed unrun,
    /// before this returns. Not from the callback of a request.
    void remove(MultiClient& client);

private:
    base::Descriptor ready_; ///< epoll: all below
    base::Descriptor woken_;
    std::vector<std::unique_ptr<MultiClient>> clients_;
};

} // namespace acmetool::http
