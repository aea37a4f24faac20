#include "http/client.h"

#include <algorithm>

#include <fmt/core.h>
#include <openssl/x509_vfy.h>
#include <unistd.h>

#include "base/text.h"
#include "base/time.h"
#include "http/curl_library.h"

namespace acmetool::http
{
namespace
{

constexpr std::size_t kMostHeaders = 200;

/// What the callbacks of one transfer share.
struct Transfer {
    Response response;
    std::size_t body_limit = 0;
    bool too_large = false;
    base::Context* context = nullptr;
};

std::size_t take_header(char* data, std::size_t, std::size_t size, void* user)
{
    auto& transfer = *static_cast<Transfer*>(user);
    const std::string_view line{data, size};
    if (line.starts_with("HTTP/")) transfer.response.headers.clear(); // a new header block, after 1xx
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) return size;
    if (transfer.response.headers.size() >= kMostHeaders) {
        transfer.too_large = true;
        return 0;
    }
    transfer.response.headers.emplace_back(base::to_lower(line.substr(0, colon)),
                                           base::trim(line.substr(colon + 1)));
    return size;
}

std::size_t take_body(char* data, std::size_t, std::size_t size, void* user)
{
    auto& transfer = *static_cast<Transfer*>(user);
    if (transfer.response.body.size() + size > transfer.body_limit) {
        transfer.too_large = true;
        return 0;
    }
    transfer.response.body.append(data, size);
    return size;
}

int watch(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t)
{
    return static_cast<Transfer*>(user)->context->interrupted() ? 1 : 0;
}

} // namespace

std::string_view name_of(Method method)
{
    switch (method) {
    case Method::get:
        return "GET";
    case Method::head:
        return "HEAD";
    case Method::post:
        return "POST";
    }
    return "GET";
}

std::optional<std::string_view> find(const Headers& headers, std::string_view name)
{
    for (const auto& [key, value] : headers)
        if (base::equals_ignoring_case(key, name)) return value;
    return std::nullopt;
}

struct Client::Impl {
    ClientOptions options;
    base::Context& context;
    const CurlLibrary* curl = nullptr; ///< with `easy`, from the first request on
    CurlEasy easy;

    std::pair<const char*, std::string> clock_error() const;
    Error failure(CURLcode code, const Transfer& transfer, const char* words, const std::string& url) const;
};

/// The reason and hint of a certificate outside its time; none for other failures.
std::pair<const char*, std::string> Client::Impl::clock_error() const
{
    long result = X509_V_OK;
    curl->easy_getinfo(easy.get(), CURLINFO_SSL_VERIFYRESULT, &result);
    const auto hint = [&](const char* then) {
        return fmt::format("is this host's clock right? it says {}; if it is, {}",
                           base::to_rfc3339(context.now()), then);
    };
    if (result == X509_V_ERR_CERT_HAS_EXPIRED)
        return {"tlsCertificateExpired", hint("the server needs a new certificate")};
    if (result == X509_V_ERR_CERT_NOT_YET_VALID)
        return {"tlsCertificateNotYetValid", hint("the server's certificate is for later")};
    return {nullptr, {}};
}

Error Client::Impl::failure(CURLcode code, const Transfer& transfer, const char* words,
                            const std::string& url) const
{
    const std::string said = words[0] != '\0' ? words : curl->easy_strerror(code);
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
        error.reason = "tls";
        if (auto clock = clock_error(); clock.first != nullptr) {
            error.reason = clock.first;
            error.hint = clock.second;
            break;
        }
        error.hint =
            options.ca_file.empty()
                ? "the server's certificate has to verify: name a private CA's root with --ca-file"
                : fmt::format("does {} hold the root of this server's certificate, and is the name in the "
                              "URL in the certificate?",
                              options.ca_file);
        break;
    case CURLE_SSL_CACERT_BADFILE:
        error.code = Errc::config;
        error.reason = "caFile";
        error.message = fmt::format("CA file {}: cannot be read as PEM certificates", options.ca_file);
        error.hint = "--ca-file takes a PEM file with the trust anchors";
        break;
    case CURLE_COULDNT_RESOLVE_HOST:
        error.reason = "resolve";
        error.hint = "check the host name in the URL and this host's resolver";
        break;
    case CURLE_COULDNT_CONNECT:
        error.reason = "connect";
        error.hint = "is the server running, and does the URL name the right port?";
        break;
    case CURLE_OPERATION_TIMEDOUT:
        error.reason = "timeout";
        error.hint = "the server did not answer in time; run the same command again";
        break;
    case CURLE_WRITE_ERROR:
        error.code = Errc::protocol;
        error.reason = transfer.too_large ? "bodyTooLarge" : "notHttp";
        if (transfer.too_large)
            error.message =
                fmt::format("{}: the reply is longer than {} octets, or has more than {} header fields", url,
                            options.body_limit, kMostHeaders);
        break;
    case CURLE_OUT_OF_MEMORY: // what libcurl says of a header field of more than 100 KiB
        error.code = Errc::protocol;
        error.reason = "notHttp";
        break;
    case CURLE_WEIRD_SERVER_REPLY:
        error.code = Errc::protocol;
        error.reason = "notHttp";
        error.hint = "the reply is not HTTP as it should be; is a proxy in between?";
        break;
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
        error.code = Errc::protocol;
        error.reason = "notHttp";
        error.hint = "only https:// URLs are used";
        break;
    default:
        error.reason = "reset";
        error.hint = "the connection broke; run the same command again, it continues where it stopped";
        break;
    }
    return error;
}

Client::Client(ClientOptions options, base::Context& context)
    : impl_(std::make_unique<Impl>(Impl{std::move(options), context, nullptr, nullptr}))
{
    if (impl_->options.user_agent.empty()) impl_->options.user_agent = "acme-integrations/" ACMETOOL_VERSION;
}

Client::~Client() = default;

Result<Response> Client::send(const Request& request)
{
    auto& options = impl_->options;
    if (!request.url.starts_with("https://"))
        return fail(Errc::protocol, fmt::format("{}: not an https URL", base::printable(request.url)),
                    "ACME is spoken over HTTPS only (RFC 8555 section 6.1)", "notHttps");
    if (!impl_->easy) {
        if (!options.ca_file.empty() && access(options.ca_file.c_str(), R_OK) != 0)
            return fail(Errc::config, fmt::format("CA file {}: cannot be opened", options.ca_file),
                        "--ca-file takes a PEM file with the trust anchors", "caFile");
        ACMETOOL_TRY(library, curl_library());
        impl_->curl = library;
        impl_->easy.reset(library->easy_init());
        if (!impl_->easy) return fail(Errc::internal, "libcurl cannot be initialised");
    }
    const auto& curl = *impl_->curl;
    CURL* easy = impl_->easy.get();
    curl.easy_reset(easy); // keeps the connection

    Transfer transfer;
    transfer.body_limit = options.body_limit;
    transfer.context = &impl_->context;
    char words[CURL_ERROR_SIZE] = {};
    CurlList headers{curl.slist_append(nullptr, "Accept-Language: en")};
    const auto add_header = [&](const std::string& line) {
        headers.reset(curl.slist_append(headers.release(), line.c_str()));
    };
    for (const auto& [name, value] : request.headers)
        add_header(fmt::format("{}: {}", name, value));

    curl.easy_setopt(easy, CURLOPT_URL, request.url.c_str());
    curl.easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    curl.easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "https");
    curl.easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl.easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl.easy_setopt(easy, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
    curl.easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    curl.easy_setopt(easy, CURLOPT_USERAGENT, options.user_agent.c_str());
    if (!options.ca_file.empty()) {
        // The explicit anchors replace the system's, the hashed directory included.
        curl.easy_setopt(easy, CURLOPT_CAINFO, options.ca_file.c_str());
        curl.easy_setopt(easy, CURLOPT_CAPATH, nullptr);
    }
    curl.easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options.connect_timeout.count()));
    const auto timeout = std::min(options.request_timeout, request.timeout.value_or(options.request_timeout));
    curl.easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(timeout.count()));
    curl.easy_setopt(easy, CURLOPT_ERRORBUFFER, words);
    curl.easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
    curl.easy_setopt(easy, CURLOPT_HEADERDATA, &transfer);
    curl.easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
    curl.easy_setopt(easy, CURLOPT_WRITEDATA, &transfer);
    curl.easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, watch);
    curl.easy_setopt(easy, CURLOPT_XFERINFODATA, &transfer);
    curl.easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
    if (request.method == Method::head) curl.easy_setopt(easy, CURLOPT_NOBODY, 1L);
    if (request.method == Method::post) {
        add_header("Expect:"); // no 100-continue round trip
        curl.easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
        curl.easy_setopt(easy, CURLOPT_POSTFIELDS, request.body.c_str());
    }
    curl.easy_setopt(easy, CURLOPT_HTTPHEADER, headers.get());

    const CURLcode code = curl.easy_perform(easy);
    if (code != CURLE_OK) return fail(impl_->failure(code, transfer, words, request.url));
    long status = 0;
    curl_off_t microseconds = 0;
    curl.easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    curl.easy_getinfo(easy, CURLINFO_TOTAL_TIME_T, &microseconds);
    transfer.response.status = static_cast<int>(status);
    transfer.response.took = std::chrono::milliseconds{microseconds / 1000};
    return std::move(transfer.response);
}

} // namespace acmetool::http
