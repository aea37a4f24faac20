#include "acme/renewal_info.h"

#include <algorithm>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "acme/certificate_id.h"
#include "base/text.h"

namespace acmetool::acme
{
namespace
{

constexpr std::chrono::seconds kShortestRetry{60};
constexpr std::chrono::seconds kLongestRetry{std::chrono::hours{24}};
constexpr std::size_t kLongestExplanation = 1000;

tl::unexpected<Error> bad_renewal_info(std::string what)
{
    return fail(Errc::protocol, "renewal information: " + std::move(what),
                "the CA violates RFC 9773: report it to its operator", "badRenewalInfo");
}

} // namespace

Result<RenewalInfo> parse_renewal_info(std::string_view json)
{
    const auto object = base::parse_json_object(json, "renewal information");
    if (!object) return bad_renewal_info(object.error().message);
    const auto window = object->find("suggestedWindow");
    if (window == object->end() || !window->is_object()) return bad_renewal_info("no \"suggestedWindow\"");
    const auto start = base::parse_rfc3339(base::string_member(*window, "start").value_or(""));
    const auto end = base::parse_rfc3339(base::string_member(*window, "end").value_or(""));
    if (!start || !end)
        return bad_renewal_info("\"start\" or \"end\" of the window is missing or not a time");
    // RFC 9773 section 4.2: "A RenewalInfo object in which the end timestamp equals or precedes the start
    // timestamp is invalid."
    if (*end <= *start) return bad_renewal_info("the window ends before it begins");
    RenewalInfo info;
    info.start = *start;
    info.end = *end;
    auto url = base::string_member(*object, "explanationURL").value_or("");
    if (url.size() <= kLongestExplanation && url.starts_with("https://") &&
        base::printable(url, kLongestExplanation) == url)
        info.explanation_url = std::move(url);
    return info;
}

base::TimePoint moment_in(const RenewalInfo& info, std::uint32_t random)
{
    const auto seconds = static_cast<double>((info.end - info.start).count());
    const auto share = static_cast<double>(random) / 4294967296.0;
    return info.start + std::chrono::seconds{static_cast<std::chrono::seconds::rep>(seconds * share)};
}

Result<RenewalInfoAnswer> fetch_renewal_info(Client& client, const crypto::Certificate& certificate)
{
    const auto& base_url = client.directory().renewal_info;
    if (base_url.empty())
        return fail(Errc::unavailable,
                    fmt::format("renewalInfo: {} does not offer it", client.directory().url),
                    "renew by the remaining lifetime instead (--before)", Cause::renewal_info_unsupported);
    const auto id = certificate_id(certificate);
    if (!id)
        return fail(Errc::bad_input, "the certificate has no authority key identifier, which ARI requires",
                    {}, "noCertId");
    // RFC 9773 section 4.3: "Clients MUST NOT check a certificate's RenewalInfo after the certificate has
    // expired."
    if (certificate.not_after() <= client.context().now())
        return fail(Errc::bad_input,
                    fmt::format("the certificate expired at {}: the CA has no renewal information for it",
                                base::to_rfc3339(certificate.not_after())),
                    "order a new one", "certificateExpired");
    const bool slash = base_url.ends_with('/');
    ACMETOOL_TRY(reply, client.get(Post{Step::renewal_info, {}, base_url + (slash ? "" : "/") + *id, {}}));
    ACMETOOL_TRY(info, parse_renewal_info(reply.body));
    RenewalInfoAnswer answer;
    answer.info = std::move(info);
    if (reply.retry_after) answer.ask_again = std::clamp(*reply.retry_after, kShortestRetry, kLongestRetry);
    return answer;
}

base::Json renewal_info_document(const crypto::Certificate& certificate, const RenewalInfoAnswer& answer,
                                 base::TimePoint now)
{
    base::Json object{
        {"certID", certificate_id(certificate).value_or("")},
        {"suggestedWindow",
         {{"start", base::to_rfc3339(answer.info.start)}, {"end", base::to_rfc3339(answer.info.end)}}},
        {"notAfter", base::to_rfc3339(certificate.not_after())},
        {"retryAfter", answer.ask_again.count()},
        {"retryAt", base::to_rfc3339(now + answer.ask_again)}};
    if (!answer.info.explanation_url.empty()) object["explanationURL"] = answer.info.explanation_url;
    return object;
}

} // namespace acmetool::acme
