#pragma once

#include <string>
#include <utility>

#include "http/client.h"
#include "http/curl_library.h"

/// One request on a libcurl handle. The blocking and the concurrent client share it, so that limits and TLS
/// rules are the same.
namespace acmetool::http
{

/// Must exist at one address during the transfer; options and request are borrowed.
class Transfer
{
public:
    /// `context` may be null: the transfer cannot be interrupted then.
    Transfer(const CurlLibrary& curl, const ClientOptions& options, const Request& request,
             base::Context* context);
    Transfer(const Transfer&) = delete;
    Transfer& operator=(const Transfer&) = delete;

    /// Sets all options on `easy`, a fresh or reset handle.
    void prepare(CURL* easy);
    /// The result.
    Result<Response> finish(CURL* easy, CURLcode code);

private:
    static std::size_t take_header(char* data, std::size_t, std::size_t size, void* user);
    static std::size_t give_body(char* data, std::size_t, std::size_t size, void* user);
    static std::size_t take_body(char* data, std::size_t, std::size_t size, void* user);
    static int watch(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t);
    void add_header(const std::string& line);
    std::pair<const char*, std::string> clock_error(CURL* easy) const;
    Error failure(CURL* easy, CURLcode code) const;

    const CurlLibrary& curl_;
    const ClientOptions& options_;
    const Request& request_;
    base::Context* context_;
    base::Wait wait_; ///< for the peer's answer
    Response response_;
    std::size_t sent_ = 0; ///< octets of the request's body
    bool too_large_ = false;
    char words_[CURL_ERROR_SIZE] = {};
    CurlList headers_;
};

/// The options with defaults filled in, after checks that need no connection. Errors: config (CA file).
Result<void> check_ca_file(const ClientOptions& options);
/// Errc::protocol unless it is an https URL (or a plain one, if the options allow it).
Result<void> check_url(const ClientOptions& options, const Request& request);
ClientOptions with_defaults(ClientOptions options);

} // namespace acmetool::http
