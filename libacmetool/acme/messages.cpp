#include "acme/messages.h"

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/text.h"

namespace acmetool::acme
{
namespace
{

/// What the ladder writes on the arrow of a reply: "201 status=ready".
std::string reply_label(const http::Response& response)
{
    const auto status = base::parse_json(response.body, "reply");
    const auto word = status ? base::string_member(*status, "status") : std::nullopt;
    return word ? fmt::format("{} status={}", response.status, base::printable(*word, 30))
                : std::to_string(response.status);
}

} // namespace

base::Message request_message(const http::Request& request, const Post& post, bool for_nonce)
{
    base::Message message;
    message.from = "client";
    message.to = "acme";
    message.method = http::name_of(request.method);
    message.url = request.url;
    message.label = fmt::format("{} /{}", message.method, for_nonce ? "newNonce" : post.step);
    message.detail = for_nonce ? "" : post.subject;
    return message;
}

base::Message reply_message(const base::Message& asked, const Result<http::Response>& outcome, bool for_nonce)
{
    base::Message message;
    message.from = asked.to;
    message.to = asked.from;
    message.url = asked.url;
    message.request_id = asked.request_id;
    message.label = !outcome    ? "no answer"
                    : for_nonce ? std::to_string(outcome->status)
                                : reply_label(*outcome);
    if (outcome) {
        message.status = outcome->status;
        message.took = outcome->took;
    }
    return message;
}

} // namespace acmetool::acme
