#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>

#include "base/time.h"
#include "http/client.h"
#include "http/curl_library.h"

namespace acmetool::http
{

/// Concurrent HTTPS requests on one thread over few persistent connections (curl_multi). Limits, TLS rules
/// and errors are those of Client.
///
/// All calls belong to one thread. Requests over `most_in_flight` wait.
class ACMETOOL_EXPORT MultiClient
{
public:
    using Clock = std::chrono::steady_clock;
    /// Called from run(), once.
    using Done = std::function<void(Result<Response>)>;

    /// `curl` is curl_library()'s. `public_only` refuses servers whose address is not public according to
    /// net/address_rules.h, whatever their name: reason "connect".
    MultiClient(const CurlLibrary& curl, ClientOptions options, unsigned most_in_flight,
                bool public_only = false);
    ~MultiClient(); ///< cancels pending requests without calling back
    MultiClient(const MultiClient&) = delete;
    MultiClient& operator=(const MultiClient&) = delete;

    void send(Request request, Done done);
    /// Waits at most `longest` for something to do, and does it.
    void run(base::Milliseconds longest);
    /// For epoll, with those of other clients: can be read while run() has something to do. -1 if the system
    /// has no more file descriptors: run() fails all requests.
    int descriptor() const;
    /// When run() has something to do although descriptor() says nothing.
    Clock::time_point due() const;
    /// Active and waiting requests.
    std::size_t size() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace acmetool::http
