#include "relay/ca_learner.h"

#include <algorithm>
#include <future>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "crypto/cms.h"
#include "crypto/extension.h"
#include "crypto/path.h"
#include "http/multi_client.h"
#include "store/configured.h"

namespace acmetool::relay
{
namespace
{

using Certificates = std::vector<crypto::Certificate>;
using Deadline = std::chrono::steady_clock::time_point;

constexpr std::size_t kMostSteps = 4; ///< intermediates above one certificate
constexpr std::chrono::seconds kLongestSearch{10};
constexpr base::Milliseconds kLongestRequest{5'000};
constexpr base::Milliseconds kTurn{100};

/// A certificate of ours, and what is known to lie above it.
struct Own {
    Certificates chain;
    std::string what;
    bool public_only = false; ///< who chose its URLs may not lead us to hosts of this network (SEC-06)
};

/// True if the URL names no other port than that of http.
bool has_usual_port(std::string_view url)
{
    url.remove_prefix(std::string_view{"http://"}.size());
    const auto authority = url.substr(0, url.find_first_of("/?#"));
    const auto colon = authority.find_last_of(":]");
    return colon == std::string_view::npos || authority[colon] == ']' || authority.substr(colon) == ":80";
}

class Learner
{
public:
    Learner(const Config& config, ra::Engine& engine, enrol::EventSink& events, base::Context& context)
        : config_(config), engine_(engine), events_(events), context_(context)
    {
    }

    /// True if the intermediates are known afterwards.
    bool from(Own own, Deadline deadline)
    {
        for (std::size_t step = 0; step <= kMostSteps; ++step) {
            if (engine_.learn(own.chain)) {
                const bool known = engine_.knows_issuer();
                if (known) tell("info", "the CA's intermediate is known by " + own.what);
                return known;
            }
            if (!config_.ra.cacerts.aia || crypto::is_self_signed(own.chain.back())) return false;
            auto issuer = fetch_issuer(own, deadline);
            if (!issuer) return false;
            own.chain.push_back(std::move(*issuer));
        }
        return false;
    }

    void by_order(std::chrono::seconds wait)
    {
        if (wait.count() == 0) return engine_.order_own([](const enrol::Decision&) {});
        auto outcome = std::make_shared<std::promise<std::string>>();
        auto ended = outcome->get_future();
        engine_.order_own([outcome](const enrol::Decision& decision) {
            const auto* refused = std::get_if<enrol::Refused>(&decision);
            outcome->set_value(refused != nullptr                                 ? refused->text
                               : std::holds_alternative<enrol::Pending>(decision) ? "not issued yet"
                                                                                  : "");
        });
        const auto deadline = context_.steady_now() + wait;
        while (context_.steady_now() < deadline && !context_.interrupted())
            if (ended.wait_for(kTurn) == std::future_status::ready) break;
        const bool done = ended.wait_for(base::Milliseconds{0}) == std::future_status::ready;
        const auto& name = config_.ra.cacerts.order;
        auto problem = done ? ended.get() : "not issued yet";
        if (problem.empty() && !engine_.knows_issuer()) problem = "its chain leads to no root in [cacerts]";
        if (!problem.empty())
            tell("warning", fmt::format("the certificate for {} that would show the CA's intermediate: {}",
                                        name, problem));
        else
            tell("info", fmt::format("the CA's intermediate is known by a certificate for {}", name));
    }

    void tell(const char* level, const std::string& text)
    {
        events_.event({{"event", "cacerts"}, {"level", level}, {"text", text}});
    }

private:
    /// The issuer of the last certificate from that one's URLs; its signature is checked.
    std::optional<crypto::Certificate> fetch_issuer(const Own& own, Deadline deadline)
    {
        const auto& below = own.chain.back();
        for (const auto& url : crypto::issuer_urls(below)) {
            if (own.public_only && !has_usual_port(url)) continue;
            const auto found = fetch(url, own.public_only, deadline);
            if (!found) {
                tell("warning", fmt::format("the issuer of {}: {}: {}", base::printable(below.subject(), 200),
                                            base::printable(url, 200), found.error().message));
                continue;
            }
            for (const auto& one : *found)
                if (crypto::is_ca(one) && below.is_issued_by(one)) return one;
            tell("warning", fmt::format("{} has not the issuer of {}", base::printable(url, 200),
                                        base::printable(below.subject(), 200)));
        }
        return std::nullopt;
    }

    Result<Certificates> fetch(const std::string& url, bool public_only, Deadline deadline)
    {
        const auto left =
            std::chrono::duration_cast<base::Milliseconds>(deadline - std::chrono::steady_clock::now());
        if (left.count() <= 0) return fail(Errc::unavailable, "no time is left for it");
        ACMETOOL_TRY(curl, http::curl_library());
        http::ClientOptions options;
        options.allow_plain_http = true; // RFC 5280 section 4.2.2.1: a certificate is signed
        options.body_limit = crypto::kLargestCms;
        options.connect_timeout = options.request_timeout = std::min(left, kLongestRequest);
        http::MultiClient client{*curl, options, 1, public_only};
        std::optional<Result<http::Response>> reply;
        client.send({http::Method::get, url, {}, {}},
                    [&reply](Result<http::Response> outcome) { reply = std::move(outcome); });
        while (!reply && client.size() > 0 && !context_.interrupted())
            client.run(kTurn);
        if (!reply) return fail(base::interrupted_error("waiting for a CA certificate"));
        if (!*reply) return fail((*reply).error());
        const auto& response = **reply;
        if (response.status != 200) return fail(Errc::unavailable, fmt::format("status {}", response.status));
        // RFC 5280 section 4.2.2.1: one certificate in DER, or a certs-only CMS message; PEM is seen as well.
        if (response.body.find("-----BEGIN") != std::string::npos)
            return crypto::parse_certificates(response.body, "CA certificate");
        return crypto::parse_certs_only(as_bytes(response.body));
    }

    const Config& config_;
    ra::Engine& engine_;
    enrol::EventSink& events_;
    base::Context& context_;
};

} // namespace

void learn_intermediates(const Config& config, ra::Engine& engine, enrol::EventSink& events,
                         std::chrono::seconds wait, base::Context& context)
{
    if (engine.knows_issuer()) return;
    Learner learner{config, engine, events, context};
    const auto deadline = std::chrono::steady_clock::now() + kLongestSearch;
    if (const auto chain = store::read_configured_certificates(config.http.certificate_file);
        chain && learner.from({*chain, "the certificate in [tls]", false}, deadline))
        return;
    if (const auto last = engine.last_issued();
        last && learner.from({{*last}, "the last certificate that was issued", true}, deadline))
        return;
    if (!config.ra.cacerts.order.empty()) return learner.by_order(wait);
    learner.tell("info", "no intermediate of the CA is known before the first certificate is issued");
}

} // namespace acmetool::relay
