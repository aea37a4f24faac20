#pragma once

#include <memory>
#include <mutex>

#include "base/worker.h"
#include "http/multi_client.h"

#include "acmetool/export.h"

namespace acmetool::http
{

/// What a base::Worker does between its tasks: it runs the transfers of a MultiClient.
///
/// All calls but wake() belong to the worker's thread. The worker owns this; keep a pointer to send requests
/// from its tasks. Callbacks of requests run on the worker's thread, none after Worker::stop(): requests
/// under way are then forgotten.
class ACMETOOL_EXPORT MultiClientWait final : public base::Worker::Wait
{
public:
    explicit MultiClientWait(std::unique_ptr<MultiClient> client) : client_(std::move(client)) {}

    void wait(base::Worker::Clock::time_point until) override;
    void wake() override;

    void send(Request request, MultiClient::Done done);
    /// Puts another client in place: for other options. Requests under way in the old one are forgotten:
    /// their callbacks are destroyed unrun, before this returns. Not from the callback of a request.
    void replace(std::unique_ptr<MultiClient> client);

private:
    std::mutex mutex_; ///< of the pointer: wake() uses the client while replace() changes it
    std::unique_ptr<MultiClient> client_;
};

} // namespace acmetool::http
