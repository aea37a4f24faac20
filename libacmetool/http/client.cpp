#include "http/client.h"

#include "base/text.h"
#include "http/transfer.h"

namespace acmetool::http
{

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
    const CurlLibrary* curl = nullptr; ///< exists with `easy`, from the first request
    CurlEasy easy;
};

Client::Client(ClientOptions options, base::Context& context)
    : impl_(std::make_unique<Impl>(Impl{with_defaults(std::move(options)), context, nullptr, nullptr}))
{
}

Client::~Client() = default;

Result<Response> Client::send(const Request& request)
{
    ACMETOOL_CHECK(check_url(impl_->options, request));
    if (!impl_->easy) {
        ACMETOOL_CHECK(check_ca_file(impl_->options));
        ACMETOOL_TRY(library, curl_library());
        impl_->curl = library;
        impl_->easy.reset(library->easy_init());
        if (!impl_->easy) return fail(Errc::internal, "libcurl cannot be initialised");
    }
    CURL* easy = impl_->easy.get();
    impl_->curl->easy_reset(easy); // keeps the connection
    Transfer transfer{*impl_->curl, impl_->options, request, &impl_->context};
    transfer.prepare(easy);
    const CURLcode code = impl_->curl->easy_perform(easy);
    return transfer.finish(easy, code);
}

} // namespace acmetool::http
