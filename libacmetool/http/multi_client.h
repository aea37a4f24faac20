#pragma once

#include <functional>
#include <memory>

#include "base/time.h"
#include "http/client.h"
#include "http/curl_library.h"

namespace acmetool::http
{

/// Many HTTPS requests at once on one thread, over few kept connections (curl_multi). Limits, TLS rules and
/// errors are those of Client.
///
/// All calls but wake() belong to the thread that calls run(). Requests over `most_in_flight` wait.
class ACMETOOL_EXPORT MultiClient
{
public:
    /// Called from run(), once.
    using Done = std::function<void(Result<Response>)>;

    /// `curl` is curl_library()'s. `public_only` refuses servers whose address http/address_rules.h does not
    /// call public, whatever name led to them: reason "connect".
    MultiClient(const CurlLibrary& curl, ClientOptions options, unsigned most_in_flight,
                bool public_only = false);
    ~MultiClient(); ///< requests under way are forgotten
    MultiClient(const MultiClient&) = delete;
    MultiClient& operator=(const MultiClient&) = delete;

    void send(Request request, Done done);
    /// Does what there is to do; waits for it at most `longest`, or until wake().
    void run(base::Milliseconds longest);
    /// From any thread: the present or next run() returns soon.
    void wake();
    /// Requests under way and waiting.
    std::size_t size() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace acmetool::http
