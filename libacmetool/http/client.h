#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/context.h"
#include "base/result.h"

namespace acmetool::http
{

enum class Method { get, head, post };
ACMETOOL_EXPORT std::string_view name_of(Method method);

using Headers = std::vector<std::pair<std::string, std::string>>;

/// The first value of header `name`, compared without case.
ACMETOOL_EXPORT std::optional<std::string_view> find(const Headers& headers, std::string_view name);

struct Request {
    Method method = Method::get;
    std::string url; ///< sent unchanged, never re-encoded
    Headers headers; ///< User-Agent and Accept-Language are added
    std::string body;
    std::optional<std::chrono::milliseconds> timeout = {}; ///< used if shorter than the client's
};

struct Response {
    int status = 0;
    Headers headers;
    std::string body;
    std::chrono::milliseconds took{0};
    bool client_asked = true; ///< false: it is known that the server requested no client certificate
};

struct ClientOptions {
    std::string ca_file;            ///< PEM trust anchors; empty: the system's
    std::string client_certificate; ///< PEM file, presented to servers that request it; empty: none
    std::string client_key;         ///< PEM file with its key
    std::chrono::milliseconds connect_timeout{10'000};
    std::chrono::milliseconds request_timeout{60'000};
    std::size_t body_limit = 1U << 20U; ///< longer replies are Errc::protocol
    bool allow_plain_http = false;      ///< for administration listeners on this host
    std::string user_agent;             ///< default "acme-integrations/<version>"
};

/// One blocking HTTPS client that keeps its connection (libcurl). HTTPS only; redirects are not followed.
///
/// Errors of send(): config (CA file unreadable), unavailable (reason "tls", "tlsCertificateExpired",
/// "tlsCertificateNotYetValid", "connect", "resolve", "timeout", "reset"), protocol (reason "bodyTooLarge",
/// "notHttp"), interrupted.
class ACMETOOL_EXPORT Client
{
public:
    Client(ClientOptions options, base::Context& context);
    ~Client();
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    Result<Response> send(const Request& request);

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace acmetool::http
