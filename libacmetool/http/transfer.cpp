#include "http/transfer.h"

#include <algorithm>
#include <string>
#include <string_view>

#include <fmt/core.h>
#include <openssl/x509_vfy.h>
#include <unistd.h>

#include "base/text.h"
#include "base/time.h"
#include "crypto/path.h"
#include "http/proxy.h"
#include "http/url.h"

namespace acmetool::http
{
namespace
{

constexpr std::size_t kMostHeaders = 200;

bool is_plain(const ClientOptions& options, const Request& request)
{
    return options.allow_plain_http && request.url.starts_with("http://");
}

/// libcurl's words without "after 7 ms" and "after 10001 milliseconds": one failure has the same words each
/// time.
std::string without_time(std::string words)
{
    constexpr std::string_view kAfter = " after ";
    const auto begin = words.find(kAfter);
    if (begin == std::string::npos) return words;
    const auto unit = words.find_first_not_of("0123456789", begin + kAfter.size());
    for (const std::string_view name : {" milliseconds", " ms"})
        if (unit != std::string::npos && unit > begin + kAfter.size() &&
            std::string_view{words}.substr(unit).starts_with(name)) {
            words.erase(begin, unit + name.size() - begin);
            break;
        }
    return words;
}

} // namespace

std::size_t Transfer::take_header(char* data, std::size_t, std::size_t size, void* user)
{
    auto& transfer = *static_cast<Transfer*>(user);
    const std::string_view line{data, size};
    if (line.starts_with("HTTP/")) transfer.response_.headers.clear(); // a new header block, after 1xx
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) return size;
    if (transfer.response_.headers.size() >= kMostHeaders) {
        transfer.too_large_ = true;
        return 0;
    }
    transfer.response_.headers.emplace_back(base::to_lower(line.substr(0, colon)),
                                            base::trim(line.substr(colon + 1)));
    return size;
}

std::size_t Transfer::give_body(char* data, std::size_t, std::size_t size, void* user)
{
    auto& transfer = *static_cast<Transfer*>(user);
    const auto part = std::string_view{transfer.request_.body}.substr(transfer.sent_, size);
    std::copy(part.begin(), part.end(), data);
    transfer.sent_ += part.size();
    return part.size();
}

std::size_t Transfer::take_body(char* data, std::size_t, std::size_t size, void* user)
{
    auto& transfer = *static_cast<Transfer*>(user);
    if (transfer.response_.body.size() + size > transfer.options_.body_limit) {
        transfer.too_large_ = true;
        return 0;
    }
    transfer.response_.body.append(data, size);
    return size;
}

int Transfer::watch(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t)
{
    const auto& transfer = *static_cast<Transfer*>(user);
    transfer.context_->waiting(transfer.wait_);
    return transfer.context_->interrupted() ? 1 : 0;
}

/// The reason and hint of a certificate outside its time; none for other failures.
std::pair<const char*, std::string> Transfer::clock_error(CURL* easy) const
{
    long result = X509_V_OK;
    curl_.easy_getinfo(easy, CURLINFO_SSL_VERIFYRESULT, &result);
    const auto hint = [&](const char* then) {
        return fmt::format("check the clock of this host, which is at {}; if it is correct, {}",
                           base::to_rfc3339(base::now()), then);
    };
    if (result == X509_V_ERR_CERT_HAS_EXPIRED)
        return {"tlsCertificateExpired", hint("the server needs a new certificate")};
    if (result == X509_V_ERR_CERT_NOT_YET_VALID)
        return {"tlsCertificateNotYetValid", hint("the server's certificate is not valid yet")};
    return {nullptr, {}};
}

Error Transfer::failure(CURL* easy, CURLcode code) const
{
    const auto& url = request_.url;
    const auto said = without_time(words_[0] != '\0' ? words_ : curl_.easy_strerror(code));
    Error error;
    error.code = Errc::unavailable;
    error.message = fmt::format("{}: {}", url, base::printable(said));
    switch (code) {
    case CURLE_ABORTED_BY_CALLBACK:
        return base::interrupted_error(url);
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ISSUER_ERROR:
        error.reason = Cause::tls;
        if (auto clock = clock_error(easy); clock.first != nullptr) {
            error.reason = clock.first;
            error.hint = clock.second;
            break;
        }
        error.hint =
            options_.ca_file.empty()
                ? "the server's certificate must verify: give the root of a private CA with --ca-file"
                : fmt::format("check that {} contains the root of the server's certificate and that the "
                              "certificate contains the name in the URL",
                              options_.ca_file);
        break;
    case CURLE_SSL_CACERT_BADFILE:
        error.code = Errc::config;
        error.reason = "caFile";
        error.message = fmt::format("CA file {}: cannot be read as PEM certificates", options_.ca_file);
        error.hint = "--ca-file must be a PEM file with trust anchors";
        break;
    case CURLE_COULDNT_RESOLVE_HOST:
        error.reason = Cause::resolve;
        error.hint = "check the host name in the URL and this host's resolver";
        break;
    case CURLE_COULDNT_CONNECT:
        error.reason = Cause::connect;
        error.hint = "check that the server is running and that the URL has the correct port";
        break;
    case CURLE_OPERATION_TIMEDOUT:
        error.reason = Cause::timeout;
        error.hint = "the server did not answer in time; run the same command again";
        break;
    case CURLE_WRITE_ERROR:
        error.code = Errc::protocol;
        error.reason = too_large_ ? "bodyTooLarge" : "notHttp";
        if (too_large_)
            error.message =
                fmt::format("{}: the reply is longer than {} octets, or has more than {} header fields", url,
                            options_.body_limit, kMostHeaders);
        break;
    case CURLE_OUT_OF_MEMORY: // what libcurl says of a header field of more than 100 KiB
        error.code = Errc::protocol;
        error.reason = "notHttp";
        break;
    case CURLE_WEIRD_SERVER_REPLY:
        error.code = Errc::protocol;
        error.reason = "notHttp";
        error.hint = "the reply is not valid HTTP; check whether a proxy intercepts the connection";
        break;
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
        error.code = Errc::protocol;
        error.reason = "notHttp";
        error.hint = "only https:// URLs are allowed";
        break;
    case CURLE_COULDNT_RESOLVE_PROXY:
        error.reason = Cause::resolve;
        break;
    default:
        error.reason = Cause::reset;
        error.hint = "the connection broke; run the same command again, it continues where it stopped";
        break;
    }
    // Between this host and the proxy, or in the proxy: the server may not have been reached.
    const bool on_the_way = error.reason == Cause::connect || error.reason == Cause::reset ||
                            error.reason == Cause::resolve || error.reason == Cause::timeout;
    if (const auto proxy = proxy_of(url); on_the_way && !proxy.url.empty())
        error.hint =
            fmt::format("the request goes through the proxy {} ({}): check that it is running and that it "
                        "may reach the server, or list the server in no_proxy",
                        proxy.url, proxy.variable);
    return error;
}

Transfer::Transfer(const CurlLibrary& curl, const ClientOptions& options, const Request& request,
                   base::Context* context)
    : curl_(curl), options_(options), request_(request), context_(context),
      headers_(curl.slist_append(nullptr, "Accept-Language: en"))
{
}

void Transfer::add_header(const std::string& line)
{
    headers_.reset(curl_.slist_append(headers_.release(), line.c_str()));
}

void Transfer::prepare(CURL* easy)
{
    for (const auto& [name, value] : request_.headers)
        add_header(fmt::format("{}: {}", name, value));

    curl_.easy_setopt(easy, CURLOPT_URL, request_.url.c_str());
    curl_.easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    curl_.easy_setopt(easy, CURLOPT_PROTOCOLS_STR, is_plain(options_, request_) ? "http" : "https");
    curl_.easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_.easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_.easy_setopt(easy, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
    // The level of our own connections and paths; the system's configuration may have a lower one.
    static const auto ciphers = fmt::format("DEFAULT@SECLEVEL={}", crypto::kSecurityLevel);
    curl_.easy_setopt(easy, CURLOPT_SSL_CIPHER_LIST, ciphers.c_str());
    curl_.easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    curl_.easy_setopt(easy, CURLOPT_USERAGENT, options_.user_agent.c_str());
    if (!options_.ca_file.empty()) {
        // The explicit anchors replace the system's, including the hashed directory.
        curl_.easy_setopt(easy, CURLOPT_CAINFO, options_.ca_file.c_str());
        curl_.easy_setopt(easy, CURLOPT_CAPATH, nullptr);
    }
    if (!options_.client_certificate.empty()) {
        curl_.easy_setopt(easy, CURLOPT_SSLCERT, options_.client_certificate.c_str());
        curl_.easy_setopt(easy, CURLOPT_SSLKEY, options_.client_key.c_str());
    }
    curl_.easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options_.connect_timeout.count()));
    const auto timeout =
        std::min(options_.request_timeout, request_.timeout.value_or(options_.request_timeout));
    const auto now = std::chrono::steady_clock::now();
    const auto url = parse_url(request_.url);
    wait_ = {"an answer from " + (url ? url->authority() : request_.url), now, now + timeout};
    curl_.easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(timeout.count()));
    curl_.easy_setopt(easy, CURLOPT_ERRORBUFFER, words_);
    curl_.easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
    curl_.easy_setopt(easy, CURLOPT_HEADERDATA, this);
    curl_.easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
    curl_.easy_setopt(easy, CURLOPT_WRITEDATA, this);
    curl_.easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, watch);
    curl_.easy_setopt(easy, CURLOPT_XFERINFODATA, this);
    curl_.easy_setopt(easy, CURLOPT_NOPROGRESS, context_ != nullptr ? 0L : 1L);
    if (request_.method == Method::head) curl_.easy_setopt(easy, CURLOPT_NOBODY, 1L);
    if (request_.method == Method::post) {
        add_header("Expect:"); // no 100-continue round trip
        curl_.easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request_.body.size()));
        // libcurl would repeat a POST if a kept connection breaks, although the peer may have processed the
        // first one; the caller must decide about repeating. A body that libcurl reads from us and cannot
        // rewind is sent only once.
        curl_.easy_setopt(easy, CURLOPT_POST, 1L);
        curl_.easy_setopt(easy, CURLOPT_READFUNCTION, give_body);
        curl_.easy_setopt(easy, CURLOPT_READDATA, this);
    }
    curl_.easy_setopt(easy, CURLOPT_HTTPHEADER, headers_.get());
}

Result<Response> Transfer::finish(CURL* easy, CURLcode code)
{
    if (code != CURLE_OK) return fail(failure(easy, code));
    long status = 0;
    curl_off_t microseconds = 0;
    curl_.easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    curl_.easy_getinfo(easy, CURLINFO_TOTAL_TIME_T, &microseconds);
    response_.status = static_cast<int>(status);
    response_.took = std::chrono::milliseconds{microseconds / 1000};
    return std::move(response_);
}

Result<void> check_ca_file(const ClientOptions& options)
{
    if (options.ca_file.empty() || ::access(options.ca_file.c_str(), R_OK) == 0) return {};
    return fail(Errc::config, fmt::format("CA file {}: cannot be opened", options.ca_file),
                "--ca-file must be a PEM file with trust anchors", "caFile");
}

Result<void> check_url(const ClientOptions& options, const Request& request)
{
    if (request.url.starts_with("https://") || is_plain(options, request)) return {};
    return fail(Errc::protocol, fmt::format("{}: not an https URL", base::printable(request.url)),
                "ACME requires HTTPS (RFC 8555 section 6.1)", "notHttps");
}

ClientOptions with_defaults(ClientOptions options)
{
    if (options.user_agent.empty()) options.user_agent = "acme-integrations/" ACMETOOL_VERSION;
    return options;
}

} // namespace acmetool::http
