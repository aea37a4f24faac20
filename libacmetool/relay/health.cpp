#include "relay/health.h"

#include <chrono>
#include <optional>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "store/configured.h"

namespace acmetool::relay
{
namespace
{

using base::Json;
using base::TimePoint;

constexpr std::chrono::hours kLongPending{1};
/// An own certificate has so much of its life left, of ten parts.
constexpr int kLittle = 1;

const Json* member(const Json& object, const char* name)
{
    if (!object.is_object()) return nullptr;
    const auto found = object.find(name);
    return found == object.end() ? nullptr : &*found;
}

std::string word(const Json& object, const char* name)
{
    return base::printable(base::string_member(object, name).value_or(""));
}

std::optional<TimePoint> time_in(const Json& object, const char* name)
{
    const auto time = base::parse_rfc3339(word(object, name));
    return time ? std::optional{*time} : std::nullopt;
}

class Examination
{
public:
    Examination(const Json& status, const Config& config, std::string program, TimePoint now)
        : status_(status), config_(config), program_(std::move(program)), now_(now)
    {
    }

    std::vector<Trouble> run()
    {
        look_at_store();
        look_at_own_certificate();
        if (const auto* issuer = member(status_, "issuer")) look_at_issuer(*issuer);
        look_at_ca_certificates();
        look_at_orders();
        look_at_others();
        return std::move(troubles_);
    }

private:
    void add(std::string text, std::string next) { troubles_.push_back({std::move(text), std::move(next)}); }

    void look_at_store()
    {
        const auto* store = member(status_, "store");
        if (store == nullptr) return;
        add(fmt::format("no decision is made: {}", word(*store, "error")),
            fmt::format("see the database: `{} store status`, its server, the disk", program_));
    }

    void look_at_own_certificate()
    {
        const auto chain = store::read_configured_certificates(config_.http.certificate_file);
        if (!chain) return; // whoever asks may not read it
        const auto begin = chain->front().not_before();
        const auto end = chain->front().not_after();
        constexpr const char* kNext = "replace the certificate in [tls], then send SIGHUP";
        if (now_ < begin)
            add(fmt::format("the relay's own certificate is not valid before {}, and this clock is at {}",
                            base::to_rfc3339(begin), base::to_rfc3339(now_)),
                "set the clock of this host");
        else if (end <= now_)
            add(fmt::format("the relay's own certificate expired at {}: devices refuse it",
                            base::to_rfc3339(end)),
                kNext);
        else if ((end - now_) * 10 < (end - begin) * kLittle)
            add(fmt::format("the relay's own certificate ends at {}", base::to_rfc3339(end)), kNext);
    }

    void look_at_issuer(const Json& issuer)
    {
        const auto failure = time_in(issuer, "lastFailure");
        const auto success = time_in(issuer, "lastSuccess");
        if (failure && (!success || *success < *failure))
            add(fmt::format("the last order failed at {}: {}", base::to_rfc3339(*failure),
                            word(issuer, "lastError")),
                fmt::format("`{} devices --state failed` lists whom it concerns", program_));
        const auto* authorizations = member(issuer, "authorizations");
        if (authorizations == nullptr || !authorizations->is_object()) return;
        for (const auto& [domain, authorization] : authorizations->items()) {
            const auto expires = time_in(authorization, "expires");
            const auto shown = base::printable(domain);
            const auto next = fmt::format("`{} check --online` tries it", program_);
            if (const auto error = word(authorization, "error"); !error.empty())
                add(fmt::format(
                        "{} cannot be authorized{}: {}", shown,
                        expires && now_ < *expires
                            ? fmt::format(" anew; the authorization ends at {}", base::to_rfc3339(*expires))
                            : std::string{},
                        error),
                    next);
            else if (expires && *expires <= now_)
                add(fmt::format("the authorization of {} ended at {}", shown, base::to_rfc3339(*expires)),
                    next);
        }
    }

    void look_at_ca_certificates()
    {
        const auto* cacerts = member(status_, "cacerts");
        if (cacerts == nullptr) return;
        if (const auto error = word(*cacerts, "error"); !error.empty())
            add(fmt::format("devices may get the wrong CA certificates: {}", error), "see [cacerts]");
        const auto* offered = member(*cacerts, "certificates");
        if (offered == nullptr || !offered->is_array()) return;
        if (offered->empty()) add("/cacerts has no certificate", "set root in [cacerts] to the CA's root");
        for (const auto& one : *offered)
            if (const auto end = time_in(one, "notAfter"); end && *end <= now_)
                add(fmt::format("the CA certificate {} expired at {}", word(one, "subject"),
                                base::to_rfc3339(*end)),
                    "see [cacerts]");
    }

    void look_at_orders()
    {
        const auto oldest = time_in(status_, "oldestPending");
        if (oldest && *oldest + kLongPending < now_)
            add(fmt::format("an order waits since {}", base::to_rfc3339(*oldest)),
                fmt::format("`{} devices --state pending` lists all that wait", program_));
    }

    void look_at_others()
    {
        if (const auto* crls = member(status_, "crls"); crls != nullptr && crls->is_array())
            for (const auto& crl : *crls)
                if (const auto error = word(crl, "error"); !error.empty())
                    add(fmt::format("the CRL {}: {}", word(crl, "source"), error), "see where it comes from");
        if (const auto* relays = member(status_, "relays"); relays != nullptr && relays->is_array())
            for (const auto& relay : *relays)
                if (!base::bool_member(relay, "sameSettings", true))
                    add(fmt::format("the relay {} has other domains, labels or limits",
                                    word(relay, "instance")),
                        "compare the configuration files");
        if (const auto* outputs = member(status_, "outputs"); outputs != nullptr && outputs->is_array())
            for (const auto& output : *outputs)
                if (base::bool_member(output, "stalled", false))
                    add(fmt::format("nobody reads the {}: lines are lost", word(output, "output")),
                        "see what reads it");
        if (base::bool_member(status_, "draining", false))
            add("the relay is about to end", "it answers what is under way");
    }

    const Json& status_;
    const Config& config_;
    const std::string program_;
    const TimePoint now_;
    std::vector<Trouble> troubles_;
};

} // namespace

std::vector<Trouble> troubles_in(const Json& status, const Config& config, const std::string& program,
                                 TimePoint now)
{
    return Examination{status, config, program, now}.run();
}

} // namespace acmetool::relay
