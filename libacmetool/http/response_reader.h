#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

#include "base/result.h"
#include "http/client.h"

namespace acmetool::http
{

/// Reads one HTTP/1.1 response incrementally; no I/O (RFC 9112, with Boost.Beast).
///
/// Interim responses (1xx) are skipped. Header block at most 32 KiB. Errc::protocol, reason "notHttp" or
/// "bodyTooLarge".
class ACMETOOL_EXPORT ResponseReader
{
public:
    explicit ResponseReader(std::size_t body_limit);
    ~ResponseReader();
    ResponseReader(const ResponseReader&) = delete;
    ResponseReader& operator=(const ResponseReader&) = delete;

    Result<void> put(std::string_view octets);
    /// The peer closed the connection, which ends some bodies and is an error in others.
    Result<void> end();
    /// Nothing was received yet.
    bool untouched() const;
    bool done() const;
    /// The connection can be used again. Meaningful once done().
    bool keeps_connection() const;
    /// Valid once done(); the caller sets `took`.
    Response take();

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace acmetool::http
