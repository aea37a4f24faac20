#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "base/worker.h"
#include "store/options.h"

namespace acmetool::store
{

/// Hears what the processes on one PostgreSQL database tell each other (Database::notify), its own included.
/// It has a connection and a thread, which sleeps until something comes.
class Notices
{
public:
    /// Called on its thread; an empty payload: something may have been missed, because the connection was
    /// away, or is now for the first time.
    using Hear = std::function<void(const std::string& payload)>;

    /// Listens as soon as the server can be reached, and again whenever it is back.
    Notices(Options options, Hear hear);
    ~Notices(); ///< `hear` is not called any more
    Notices(const Notices&) = delete;
    Notices& operator=(const Notices&) = delete;

private:
    class Wait;
    base::Worker worker_;
};

} // namespace acmetool::store
