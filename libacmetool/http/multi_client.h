#pragma once

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
/// All calls except wake() belong to the thread that calls run(). Requests over `most_in_flight` wait.
class ACMETOOL_EXPORT MultiClient
{
public:
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
    /// Processes events; waits for them at most `longest`, or until wake().
    void run(base::Milliseconds longest);
    /// From any thread: the present or next run() returns soon.
    void wake();
    /// Active and waiting requests.
    std::size_t size() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace acmetool::http
