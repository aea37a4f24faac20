#include "acme/messages.h"

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "acme/problem.h"
#include "base/json.h"
#include "base/text.h"
#include "http/traced.h"

namespace acmetool::acme
{
namespace
{

constexpr std::size_t kLongestWord = 30;
constexpr std::size_t kLongestDetail = 200;

/// The text on the ladder's arrow besides the status: "201 status=ready", "403 rateLimited" with the CA's
/// text.
void describe_reply(const http::Response& response, base::Message& message)
{
    if (response.status >= 400) {
        const auto problem = parse_problem(response.body);
        if (!problem) return;
        message.label += " " + base::printable(problem->word(), 2 * kLongestWord);
        message.detail = base::printable(problem->detail, kLongestDetail);
        return;
    }
    const auto object = base::parse_json(response.body, "reply");
    if (const auto word = object ? base::string_member(*object, "status") : std::nullopt)
        message.label += " status=" + base::printable(*word, kLongestWord);
}

} // namespace

base::Message request_message(const http::Request& request, const Post& post, bool for_nonce)
{
    base::Message message;
    message.from = "client";
    message.to = "acme";
    message.method = http::name_of(request.method);
    message.url = request.url;
    message.label = fmt::format("{} /{}", message.method, for_nonce ? "newNonce" : name_of(post.step));
    message.detail = for_nonce ? "" : post.subject;
    return message;
}

base::Message reply_message(const base::Message& asked, const Result<http::Response>& outcome, bool for_nonce)
{
    auto message = http::reply_message(asked, outcome);
    if (outcome && !for_nonce) describe_reply(*outcome, message);
    return message;
}

} // namespace acmetool::acme
