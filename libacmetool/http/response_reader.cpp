#include "http/response_reader.h"

#include <optional>
#include <string>

#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <fmt/core.h>

#include "base/text.h"

namespace acmetool::http
{
namespace
{

namespace beast = boost::beast;
using ReplyParser = beast::http::response_parser<beast::http::string_body>;

constexpr std::uint32_t kHeaderLimit = 32U << 10U;
constexpr unsigned kMostInterim = 10;

} // namespace

struct ResponseReader::Impl {
    std::size_t body_limit;
    std::optional<ReplyParser> parser;
    std::string pending; ///< what the parser has not consumed yet
    bool touched = false;
    unsigned interim = 0;

    void begin()
    {
        parser.emplace();
        parser->eager(true);
        parser->body_limit(body_limit);
        parser->header_limit(kHeaderLimit);
    }
    tl::unexpected<Error> failure(const beast::error_code& problem) const
    {
        if (problem == beast::http::error::body_limit)
            return fail(Errc::protocol, fmt::format("the reply is longer than {} octets", body_limit), {},
                        "bodyTooLarge");
        return fail(Errc::protocol, fmt::format("the reply is not HTTP: {}", problem.message()), {},
                    "notHttp");
    }
};

ResponseReader::ResponseReader(std::size_t body_limit) : impl_(std::make_unique<Impl>())
{
    impl_->body_limit = body_limit;
    impl_->begin();
}

ResponseReader::~ResponseReader() = default;

Result<void> ResponseReader::put(std::string_view octets)
{
    auto& self = *impl_;
    self.touched = self.touched || !octets.empty();
    self.pending.append(octets);
    while (!self.pending.empty() && !done()) {
        beast::error_code problem;
        const auto used =
            self.parser->put(boost::asio::const_buffer{self.pending.data(), self.pending.size()}, problem);
        self.pending.erase(0, used);
        if (problem && problem != beast::http::error::need_more) return self.failure(problem);
        if (self.parser->is_done() && self.parser->get().result_int() / 100 == 1) {
            if (++self.interim > kMostInterim)
                return fail(Errc::protocol, "the reply does not end", {}, "notHttp");
            self.begin();
            continue;
        }
        if (used == 0 || problem) break;
    }
    return {};
}

Result<void> ResponseReader::end()
{
    if (done()) return {};
    beast::error_code problem;
    // Before the headers are complete there is no body to end, and the parser asserts that data was received.
    const bool in_body = impl_->parser->is_header_done();
    if (in_body) impl_->parser->put_eof(problem);
    if (!in_body || problem || !done())
        return fail(Errc::unavailable, "the connection broke in the middle of the reply",
                    "run the same command again", Cause::reset);
    return {};
}

bool ResponseReader::untouched() const
{
    return !impl_->touched;
}

bool ResponseReader::done() const
{
    return impl_->parser->is_done();
}

bool ResponseReader::keeps_connection() const
{
    return impl_->parser->keep_alive() && !impl_->parser->need_eof() && impl_->pending.empty();
}

Response ResponseReader::take()
{
    auto message = impl_->parser->release();
    Response response;
    response.status = static_cast<int>(message.result_int());
    for (const auto& field : message)
        response.headers.emplace_back(
            base::to_lower({field.name_string().data(), field.name_string().size()}),
            std::string{field.value()});
    response.body = std::move(message.body());
    return response;
}

} // namespace acmetool::http
