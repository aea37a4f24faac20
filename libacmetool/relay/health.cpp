#include "relay/health.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string_view>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "base/text.h"

namespace acmetool::relay
{
namespace
{

using base::Json;
using base::TimePoint;

constexpr std::chrono::hours kLongPending{1};
constexpr std::chrono::hours kVoucherTold{24 * 7}; ///< that there is none; nobody has to forget each device
constexpr std::chrono::seconds kClockOff{30};

/// What the relay uses a certificate for, and what follows from its end.
struct CertificateUse {
    std::string_view word; ///< in the document
    std::string_view what; ///< {} is the subject
    std::string_view loss; ///< behind "expired at TIME"
    std::string_view next;
};

constexpr CertificateUse kTlsUse{"tls", "the relay's own certificate", ": devices refuse it",
                                 "replace the certificate in [tls], then send SIGHUP"};
constexpr CertificateUse kCaUse{"", "the CA certificate {}", "", "see [cacerts]"};
constexpr CertificateUse kOtherUses[] = {
    {"administration", "the certificate of the administration", ": browsers refuse it",
     "replace the certificate in [admin], then send SIGHUP"},
    {"manufacturer", "the manufacturer's certificate {}", ": its devices are refused",
     "ask the manufacturer for the next CA certificate, add it to trust, then send SIGHUP"},
};

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
    Examination(const Json& status, std::string program, TimePoint now)
        : status_(status), program_(std::move(program)), now_(now)
    {
    }

    std::vector<Trouble> run()
    {
        look_at_store();
        look_at_certificates(kTlsUse);
        if (const auto* issuer = member(status_, "issuer")) {
            look_at_clock(*issuer);
            look_at_issuer(*issuer);
        }
        look_at_ca_certificates();
        for (const auto& use : kOtherUses)
            look_at_certificates(use);
        look_at_orders();
        if (const auto* brski = member(status_, "brski")) look_at_vouchers(*brski);
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

    void look_at_certificates(const CertificateUse& use)
    {
        const auto* list = member(status_, "certificates");
        if (list == nullptr || !list->is_array()) return;
        for (const auto& one : *list)
            if (word(one, "use") == use.word) look_at_certificate(one, use);
    }

    void look_at_certificate(const Json& certificate, const CertificateUse& use)
    {
        const auto end = time_in(certificate, "notAfter");
        if (!end) return;
        const auto begin = time_in(certificate, "notBefore").value_or(*end);
        const auto what = fmt::format(fmt::runtime(use.what), word(certificate, "subject"));
        if (now_ < begin)
            return add(fmt::format("{} is not valid before {}, and this clock is at {}", what,
                                   base::to_rfc3339(begin), base::to_rfc3339(now_)),
                       "set the clock of this host");
        if (*end <= now_)
            return add(fmt::format("{} expired at {}{}", what, base::to_rfc3339(*end), use.loss),
                       std::string{use.next});
        // One that lives for days is replaced in its last third.
        const std::chrono::seconds soon{kEndsSoon};
        if (*end - now_ < std::min(soon, (*end - begin) / 3))
            add(fmt::format("{} ends at {}", what, base::to_rfc3339(*end)), std::string{use.next});
    }

    void look_at_clock(const Json& issuer)
    {
        const auto* offset = member(issuer, "clockOffset");
        if (offset == nullptr || !offset->is_number_integer()) return;
        const auto ahead = offset->get<std::int64_t>();
        if (std::abs(ahead) <= kClockOff.count()) return;
        add(fmt::format("the clock of this host was {} s {} that of the CA when the CA answered last",
                        std::abs(ahead), ahead > 0 ? "ahead of" : "behind"),
            "set the clock of this host; the next answer of the CA shows it");
    }

    void look_at_issuer(const Json& issuer)
    {
        const auto outcome = word(issuer, "lastOutcome"); // a relay of an earlier version does not tell it
        const auto failure = time_in(issuer, "lastFailure");
        const auto success = time_in(issuer, "lastSuccess");
        const bool was_earlier = outcome.empty() && failure && (!success || *success < *failure);
        if (outcome == "failed" || was_earlier)
            add(fmt::format("the last order failed at {}: {}", word(issuer, "lastFailure"),
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
            look_at_certificate(one, kCaUse);
    }

    void look_at_orders()
    {
        const auto oldest = time_in(status_, "oldestPending");
        if (oldest && *oldest + kLongPending < now_)
            add(fmt::format("an order waits since {}", base::to_rfc3339(*oldest)),
                fmt::format("`{} devices --state pending` lists all that wait", program_));
    }

    void look_at_vouchers(const Json& brski)
    {
        if (const auto* silent = member(brski, "silent"))
            add(fmt::format("the MASA {} does not answer, and {} waits for a voucher since {}: {}",
                            word(*silent, "masa"), word(*silent, "serial"), word(*silent, "since"),
                            word(*silent, "reason")),
                fmt::format("`{} check --online` tries it; `{} devices --state pending` lists all that wait",
                            program_, program_));
        look_at_voucher(brski, "refused", "{} got no voucher for its request of {}: {}");
        look_at_voucher(brski, "notTaken", "{} does not take the voucher for its request of {}: {}");
    }

    void look_at_voucher(const Json& brski, const char* name, std::string_view sentence)
    {
        const auto* one = member(brski, name);
        if (one == nullptr) return;
        const auto since = time_in(*one, "since");
        if (!since || *since + kVoucherTold < now_) return;
        const auto serial = word(*one, "serial");
        add(fmt::format(fmt::runtime(sentence), serial, base::to_rfc3339(*since), word(*one, "reason")),
            fmt::format("`{0} explain {1}` says what to do; `{0} forget {1}` if the device is not yours",
                        program_, serial));
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
                    add(fmt::format(
                            "the relay {} has other domains, labels or limits, or another kind of inventory",
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
    const std::string program_;
    const TimePoint now_;
    std::vector<Trouble> troubles_;
};

} // namespace

std::vector<Trouble> troubles_in(const Json& status, const std::string& program, TimePoint now)
{
    return Examination{status, program, now}.run();
}

} // namespace acmetool::relay
