#include "http/traced.h"

#include <utility>

#include <fmt/core.h>

#include "base/text.h"

namespace acmetool::http
{
base::Message reply_message(const base::Message& asked, const Result<Response>& outcome)
{
    constexpr std::size_t kLongestDetail = 200;
    base::Message reply;
    reply.from = asked.to;
    reply.to = asked.from;
    reply.url = asked.url;
    reply.request_id = asked.request_id;
    if (!outcome) {
        reply.label = "no answer";
        reply.detail = base::printable(outcome.error().message, kLongestDetail);
        return reply;
    }
    reply.label = std::to_string(outcome->status);
    reply.status = outcome->status;
    reply.took = outcome->took;
    return reply;
}

Result<Response> send_traced(Transport& transport, const Request& request, base::Message asked,
                             base::Context& context)
{
    asked.method = name_of(request.method);
    asked.url = request.url;
    context.message(asked);
    auto response = transport.send(request);
    auto reply = reply_message(asked, response);
    if (response) {
        if (const auto retry = find(response->headers, "retry-after"))
            reply.label += " Retry-After=" + base::printable(*retry, 40);
        context.log(base::Level::wire, fmt::format("{} in {} ms, {} octets", reply.label,
                                                   response->took.count(), response->body.size()));
    }
    context.message(reply);
    return response;
}

void tell_unreachable(const base::Message& asked, const Error& why, base::Context& context)
{
    context.message(asked);
    context.message(reply_message(asked, fail(why)));
}

} // namespace acmetool::http
