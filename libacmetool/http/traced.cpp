#include "http/traced.h"

#include <utility>

#include <fmt/core.h>

#include "base/text.h"

namespace acmetool::http
{
namespace
{

constexpr std::size_t kLongestDetail = 200;

base::Message no_answer(const base::Message& asked, const Error& why)
{
    base::Message reply;
    reply.from = asked.to;
    reply.to = asked.from;
    reply.label = "no answer";
    reply.detail = base::printable(why.message, kLongestDetail);
    reply.url = asked.url;
    return reply;
}

} // namespace

Result<Response> send_traced(Transport& transport, const Request& request, base::Message asked,
                             base::Context& context)
{
    asked.method = name_of(request.method);
    asked.url = request.url;
    context.message(asked);
    auto response = transport.send(request);
    if (!response) {
        context.message(no_answer(asked, response.error()));
        return response;
    }
    base::Message reply;
    reply.from = asked.to;
    reply.to = asked.from;
    reply.label = std::to_string(response->status);
    if (const auto retry = find(response->headers, "retry-after"))
        reply.label += " Retry-After=" + base::printable(*retry, 40);
    reply.url = request.url;
    reply.status = response->status;
    reply.took = response->took;
    context.log(base::Level::wire, fmt::format("{} in {} ms, {} octets", reply.label, response->took.count(),
                                               response->body.size()));
    context.message(reply);
    return response;
}

void tell_unreachable(const base::Message& asked, const Error& why, base::Context& context)
{
    context.message(asked);
    context.message(no_answer(asked, why));
}

} // namespace acmetool::http
