#include "relay/event_text.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "access/sessions.h"
#include "base/text.h"
#include "enrol/registration_authority.h"
#include "http/handshake_failure.h"
#include "registrar/decision.h"
#include "relay/screen.h"

namespace acmetool::relay
{
namespace
{

using base::Json;
using base::Level;

/// {0} is the program, {1} who it is about, {2} the address.
using Advice = std::string_view;

constexpr Advice kExplain = "`{0} explain {1}` shows what is known of it";
constexpr Advice kExplainOrder = "`{0} explain {1}` shows the order, which failed";
constexpr Advice kSeeDatabase = "see the database: `{0} store status`, its server, the disk";
constexpr Advice kEndsTls =
    "see whether a proxy before the relay ends the device's TLS; pop in [est] says what "
    "is required, and max_version = \"1.2\" in [tls] serves devices that know tls-unique alone";
constexpr Advice kChangeRequest = "the request has to change, or allow of its label has to";
constexpr Advice kOwnName = "the device asks for a name that is not its own: see san of its label";
constexpr Advice kOtherKey = "the device needs another key: see key_type of its label";
constexpr Advice kSecret =
    "compare the secret of the [[client]] with this address with that of the switch {2}";
constexpr Advice kTryDomain = "`{0} check --online` tries whether the domain can be authorized";
constexpr Advice kAskMasa =
    "`{0} check --online` tries the MASA; SIGHUP has the relay ask it at once, and `{0} retry {1}` opens a "
    "voucher-request that was given up";

/// Those without a case of their own have that of the Refusal.
Advice advice_on(enrol::Ground ground)
{
    using enrol::Ground;
    switch (ground) {
    case Ground::none:
        return {};
    case Ground::no_identity:
        return "the device showed no certificate: see whether a proxy before the relay ends its TLS";
    case Ground::wrong_password:
        return "compare the device's password with the file of users";
    case Ground::login_used:
        return "somebody repeats a login: see what stands between the device and the relay";
    case Ground::unknown_issuer:
        return "if its manufacturer is to be trusted, add its CA to trust in [clients.idevid]; else the "
               "device "
               "shows the wrong certificate";
    case Ground::invalid_certificate:
        return "the device needs a certificate that its manufacturer's CA signed; trust in [clients.idevid] "
               "names that CA";
    case Ground::out_of_dates:
        return "compare the clock of this host with the dates of the certificate; grace in [clients.issued] "
               "lets "
               "devices renew late";
    case Ground::revoked_by_crl:
        return "ask its CA why it revoked the certificate; the device needs another one";
    case Ground::not_for_clients:
        return "the device needs a certificate for clients: see eku in [clients.issued]";
    case Ground::not_a_device:
        return "trust in [clients.issued] accepts only names in the domains of this relay";
    case Ground::only_for_renewal:
        return "the device has to renew with this certificate, or to enrol by its manufacturer's";
    case Ground::revoked:
        return "the device needs a new key, and enrols by its manufacturer's certificate";
    case Ground::key_revoked:
        return "the device needs a new key";
    case Ground::blocked:
        return "`{0} unblock {1}` ends the block";
    case Ground::not_in_inventory:
        return "if the device may enrol, add {1} to the inventory, and reload the relay if that is a file";
    case Ground::other_label:
        return "the inventory has {1} for another label: correct its line, or the URL of the device";
    case Ground::other_manufacturer:
        return "write the manufacturer of {1} into the inventory, as SERIAL@MANUFACTURER, and reload the "
               "relay if that is a file";
    case Ground::several_devices:
        return "the device needs a certificate with the names of one device: revoke this one";
    case Ground::user_without_names:
        return "write the names that the user may have into the file of users";
    case Ground::device_without_names:
        return "write the names of {1} into its line of the inventory";
    case Ground::not_the_certificate_to_renew:
        return "the device has to show the certificate that it renews, or to enrol anew";
    case Ground::not_certifiable:
        return "the device has to ask for a DNS name";
    case Ground::foreign_domain:
        return "if the name is to be certified, add its domain to [[domain]]";
    case Ground::other_name:
        return kOwnName;
    case Ground::name_taken:
        return "another device has this name: `{0} devices` lists them; give one of the two another name";
    case Ground::no_name_yet:
        return "the device has to ask for /csrattrs, which tells its name, before it enrols";
    case Ground::differs_from_certificate:
        return "a renewal repeats subject and names of the certificate; the device enrols anew for others";
    case Ground::not_a_dns_name:
    case Ground::no_names:
    case Ground::too_many_names:
    case Ground::name_not_in_san:
        return "the request has to name the device by DNS names in its subject alternative name";
    case Ground::malformed:
        return "the device sends a request that is not well-formed: its software has to change";
    case Ground::content_not_allowed:
    case Ground::extension_not_allowed:
        return kChangeRequest;
    case Ground::other_binding:
    case Ground::no_binding:
        return kEndsTls;
    case Ground::unknown_label:
        return "the URL of the device names a label that the configuration does not have";
    case Ground::too_many_passwords:
        return "see who sends so many passwords: `{0} events --level warning` has the addresses";
    case Ground::too_many_orders:
        return "`{0} forecast` shows the limits; [limits] sets them";
    case Ground::store_away:
        return kSeeDatabase;
    case Ground::queue_full:
        return "more devices ask at once than the database takes: the device asks again; see [limits]";
    case Ground::revocation_unknown:
        return "`{0} status` says which CRL is missing or old; see where it comes from";
    case Ground::explicit_curve:
    case Ground::other_key_type:
    case Ground::weak_key:
        return kOtherKey;
    case Ground::order_failed:
        return kExplainOrder;
    case Ground::failure_remembered:
        return "`{0} explain {1}` shows the order; `{0} retry {1}` has it tried at once";
    }
    return {};
}

/// For events of earlier versions, and of those who decide without the registration authority.
Advice advice_for_refusal(enrol::Refusal refusal)
{
    using enrol::Refusal;
    switch (refusal) {
    case Refusal::unauthenticated:
        return "the device showed no certificate and no password that is known here: see whether a proxy "
               "before "
               "the relay ends its TLS";
    case Refusal::forbidden:
        return "`{0} explain {1}` says why it may not enrol";
    case Refusal::bad_request:
    case Refusal::unsupported_extension:
        return kChangeRequest;
    case Refusal::bad_identity:
        return kOwnName;
    case Refusal::pop_failed:
        return kEndsTls;
    case Refusal::not_found:
        return "the URL of the device names a label that the configuration does not have";
    case Refusal::too_many:
        return "`{0} forecast` shows the limits; [limits] sets them";
    case Refusal::unavailable:
        return "`{0} status` says what is away; the device asks again";
    case Refusal::internal:
        return "`{0} explain {1}` shows the order";
    case Refusal::unsupported_algorithm:
        return kOtherKey;
    }
    return {};
}

Advice advice_for_drop(access::Sessions::Drop cause)
{
    using Drop = access::Sessions::Drop;
    switch (cause) {
    case Drop::unknown_client:
        return "if {2} is a switch of yours, add a [[client]] with this address";
    case Drop::message_authenticator:
    case Drop::request_authenticator:
        return kSecret;
    case Drop::malformed:
        return "see what {2} sends: it is not RADIUS";
    case Drop::code:
        return "see why {2} sends answers, or requests to a port that is not for them";
    }
    return {};
}

Advice advice_for_handshake(http::HandshakeCause cause)
{
    using http::HandshakeCause;
    switch (cause) {
    case HandshakeCause::untrusted:
        return "give the device {2} the root of the certificate in [tls], and see whether the name in its "
               "URL is in that certificate and its clock is right";
    case HandshakeCause::version:
        return "the device {2} needs TLS 1.2 or later; see min_version and max_version in [tls]";
    case HandshakeCause::algorithms:
        return "see which ciphers the device {2} offers, and whether it can verify the key of the "
               "certificate in [tls]: old devices need an RSA key";
    case HandshakeCause::client_certificate:
        return "the device {2} needs another key: RSA of 2048 to 4096 bits, or a curve up to P-521";
    case HandshakeCause::not_tls:
        return "if {2} is a device of yours, its URL has to begin with https; a load balancer in front needs "
               "proxy_protocol in [listen]";
    case HandshakeCause::timeout:
        return "see the network to {2}; for a slow device raise handshake in [limits]";
    case HandshakeCause::closed:
        return "ask the log of the device {2}: in most cases it does not trust the certificate in [tls], or "
               "a timer of its own is too short";
    case HandshakeCause::proxy_header:
        return "have the load balancer {2} send it (send-proxy-v2 in HAProxy), or remove {2} from "
               "proxy_protocol in [listen]";
    case HandshakeCause::other:
        return "ask the log of the device {2}; `openssl s_client` shows what the relay offers";
    }
    return {};
}

Advice advice_on_voucher(registrar::Cause cause)
{
    using registrar::Cause;
    switch (cause) {
    case Cause::none:
        return kExplain;
    case Cause::no_certificate:
        return "the device showed no certificate: see whether a proxy before the relay ends its TLS";
    case Cause::unknown_device:
    case Cause::unauthenticated:
        return "if its manufacturer is to be trusted, add a [[manufacturer]] with its CA, and that CA to "
               "trust in "
               "[clients.idevid]";
    case Cause::unwelcome:
        return "`{0} explain {1}` says why it may not enrol";
    case Cause::unavailable:
        return "`{0} status` says what is away; the device asks again";
    case Cause::malformed:
    case Cause::unknown_media_type:
    case Cause::no_such_format:
    case Cause::bad_request:
        return "the device's software has to change: its voucher-request is not what RFC 8995 says";
    case Cause::other_registrar:
        return "see whether a proxy before the relay ends the device's TLS, and whether the relay's "
               "certificate "
               "was replaced meanwhile";
    case Cause::misconfigured:
        return "`{0} check` says what the registrar lacks";
    case Cause::replaced:
        return "the device came with another request: that one counts";
    case Cause::masa_not_allowed:
        return "if this MASA may answer for the manufacturer, add it to masa_hosts of its [[manufacturer]], "
               "reload the relay, and `{0} retry {1}`";
    case Cause::masa_refused:
    case Cause::masa_unknown:
    case Cause::masa_no_such_format:
        return "ask the manufacturer whether the device was sold to you; once its MASA knows that, `{0} "
               "retry "
               "{1}` has it asked again";
    case Cause::masa_silent:
        return kAskMasa;
    case Cause::masa_pending:
        return "ask the manufacturer, whose MASA has not decided about the device; once it has, `{0} retry "
               "{1}` has it asked again";
    case Cause::bad_voucher:
        return "ask the manufacturer: its MASA sends vouchers that are of no use here; once it sends others, "
               "`{0} retry {1}` has it asked again";
    case Cause::bad_audit_log:
        return "see who else had the device; audit_log, known_domains and other_domains in [brski] say what "
               "counts, and after a reload `{0} retry {1}` has the MASA asked again";
    }
    return {};
}

/// Exact words: types of the CA's problems, and those of Cause and Errc that an order fails with.
constexpr std::pair<std::string_view, Advice> kOrderAdvice[] = {
    {"caa", "a CAA record forbids it: `acme-preauth caa-record` shows what is published"},
    {"rateLimited",
     "the CA limits orders: `{0} forecast` shows how many there are; `{0} retry {1}` once the time "
     "has come"},
    {"badCSR",
     "the CA does not take the request: compare it with the profile of the label, then `{0} retry {1}`"},
    {"unauthorized", kTryDomain},
    {"validationFailed", kTryDomain},
    {"authorizationNeeded", kTryDomain},
    {"dns", "see the name servers of the domain: `{0} check --online`"},
    {"rejectedIdentifier", "the CA does not certify this name"},
    {"userActionRequired",
     "the CA wants something of the holder of its account, such as new terms: its words name a page"},
    {"accountDoesNotExist", "the CA does not know the account in [acme]: `acme-account show` asks it"},
    {"io", "see the disk of this host and its database: `{0} store status`"},
    {"cannotCreate", "see the disk of this host and its database: `{0} store status`"},
    {"unavailable", "`{0} check --online` tries the CA and the name servers"},
    {"connect", "`{0} check --online` tries the CA and the name servers"},
    {"resolve", "`{0} check --online` tries the CA and the name servers"},
    {"timeout", "`{0} check --online` tries the CA and the name servers"},
    {"reset", "`{0} check --online` tries the CA and the name servers"},
    {"tls", "`{0} check --online` tries the CA, whose certificate is not trusted or has expired"},
    {"tlsCertificate", "`{0} check --online` tries the CA, whose certificate is not trusted or has expired"},
    {"tlsIdentity", "`{0} check --online` tries the CA, whose certificate is not trusted or has expired"},
    {"programRefused", "issuer in [acme] refused it: its last line says why"},
    {"programTimeout", "see why issuer in [acme] takes so long"},
    {"config", "`{0} check` reads the configuration and all files"},
};

/// Of each kind of event, where nothing finer is known of it.
constexpr std::pair<std::string_view, Advice> kGeneral[] = {
    {"decision", kExplain},
    {"request", "the device asks for what is not here, or in a way that EST does not have"},
    {"radius", "see what {2} sends"},
    {"handshake", "see what {2} sends"},
    {"teap",
     "the decision beside it says why; if there is none, see the certificates that the device and the "
     "relay show each other"},
    {"order", kExplainOrder},
    {"authorization", "`{0} check --online` tries the name servers and the update key"},
    {"store", kSeeDatabase},
    {"brski", "`{0} explain {1}` shows the voucher-request"},
    {"voucher_status", "the device does not take its voucher: `{0} explain {1}` shows the request"},
    {"enrollstatus", "the device says so: `{0} explain {1}` shows its certificate"},
    {"crl", "see where the CRL comes from"},
    {"cacerts", "see [cacerts]"},
    {"issuer", "run issuer in [acme] by hand"},
    {"events", "the log has them"},
};
constexpr Advice kAnything = "`{0} status` says what is wrong";

template <std::size_t size>
Advice row_of(const std::pair<std::string_view, Advice> (&rows)[size], std::string_view word)
{
    const auto* const found =
        std::find_if(std::begin(rows), std::end(rows), [&](const auto& row) { return row.first == word; });
    return found == std::end(rows) ? Advice{} : found->second;
}

Json members_of(const ra::Event& event)
{
    auto details = base::parse_json_object(event.details.empty() ? "{}" : event.details, "event");
    return details ? std::move(*details) : Json::object();
}

std::string_view word_of(Level level)
{
    return level == Level::error ? "error" : level == Level::warning ? "warning" : "info";
}

std::string shown_who(const ra::Event& event)
{
    if (!event.who.empty()) return base::printable(event.who, 100);
    return event.station.empty() ? "-" : event.station;
}

/// By the words for causes that the event has, never by its sentence.
Advice typed_advice(const ra::Event& event)
{
    if (event.what == "decision") {
        const auto ground = base::string_member(members_of(event), "ground").value_or("");
        if (const auto advice = advice_on(enrol::ground_named(ground)); !advice.empty()) return advice;
    }
    if (event.what == "decision" || event.what == "request")
        if (const auto refusal = enrol::refusal_named(event.cause)) return advice_for_refusal(*refusal);
    if (event.what == "radius")
        if (const auto drop = access::Sessions::drop_named(event.cause)) return advice_for_drop(*drop);
    if (event.what == "handshake")
        if (const auto cause = http::handshake_cause_named(event.cause)) return advice_for_handshake(*cause);
    if (event.what == "brski" && !event.cause.empty())
        return advice_on_voucher(registrar::cause_named(event.cause));
    if (event.what == "order") return row_of(kOrderAdvice, event.cause);
    return {};
}

} // namespace

std::string advice_for_voucher(registrar::Cause cause, const std::string& program, const std::string& device)
{
    return fmt::format(fmt::runtime(advice_on_voucher(cause)), program, base::printable(device, 100));
}

bool is_bad(const ra::Event& event)
{
    return event.level <= Level::warning || event.outcome == "refused" || event.outcome == "reject";
}

std::string advice_for(const ra::Event& event, const std::string& program)
{
    if (!event.hint.empty()) return event.hint;
    if (!is_bad(event)) return {};
    auto advice = typed_advice(event);
    // Whoever is not known cannot be asked about.
    if (advice.empty() || (shown_who(event) == "-" && advice.find("{1}") != Advice::npos))
        advice = row_of(kGeneral, event.what);
    if (advice.empty() || (shown_who(event) == "-" && advice.find("{1}") != Advice::npos)) advice = kAnything;
    return fmt::format(fmt::runtime(advice), program, shown_who(event), event.address);
}

std::string heading_of(const ra::Event& event)
{
    auto text = event.what;
    if (!event.outcome.empty()) text += " " + event.outcome;
    if (!event.cause.empty() && event.cause != event.outcome) text += ": " + event.cause;
    if (event.times > 1) text += fmt::format(" ({} times)", event.times);
    return text;
}

std::string sentence_of(const ra::Event& event)
{
    const auto details = members_of(event);
    const auto problem = details.find("problem");
    if (problem == details.end()) return event.text;
    const auto words = base::string_member(*problem, "detail").value_or("");
    if (words.empty() || event.text.find(words) != std::string::npos) return event.text;
    return fmt::format("{}{}the CA says: {}", event.text, event.text.empty() ? "" : "; ", words);
}

Json to_json(const ra::Event& event, const std::string& program)
{
    Json document{{"time", ra::to_rfc3339(event.at)},
                  {"id", fmt::format("{}-{}", event.at.time_since_epoch().count(), event.number)},
                  {"level", word_of(event.level)},
                  {"event", event.what},
                  {"times", event.times},
                  {"details", members_of(event)}};
    const auto add = [&document](const char* name, const std::string& value) {
        if (!value.empty()) document[name] = base::printable(value, 1000);
    };
    add("outcome", event.outcome);
    add("cause", event.cause);
    add("text", event.text);
    add("next", advice_for(event, program));
    add("protocol", event.protocol);
    add("device", event.device);
    // What nobody has verified has another name.
    add(event.device.empty() ? "claims" : "serial", event.who);
    add("requestId", event.request_id);
    add("address", event.address);
    add("station", event.station);
    add("relay", event.relay);
    return document;
}

std::string event_header()
{
    return fmt::format("{:<20}  {:<16}  EVENT\n", "TIME", "DEVICE");
}

std::string to_text(const ra::Event& event, const std::string& program)
{
    constexpr std::size_t kWidth = 76;
    const auto whole = std::chrono::floor<std::chrono::seconds>(event.at);
    auto text = fmt::format("{}  {:<16}  {}\n", base::to_rfc3339(whole), shown_who(event), heading_of(event));
    const auto add = [&text](const std::string& sentence) {
        for (const auto& part : folded(base::printable(sentence, 1500), kWidth))
            text += "    " + part + "\n";
    };
    add(sentence_of(event));
    const auto details = members_of(event);
    std::vector<std::string> facts;
    const auto fact = [&facts](std::string_view name, const std::string& value) {
        if (!value.empty()) facts.push_back(fmt::format("{} {}", name, value));
    };
    fact("from", event.address);
    if (event.device.empty()) fact("shows", base::string_member(details, "client").value_or(""));
    fact("nas", base::string_member(details, "nas").value_or(""));
    fact("order", base::string_member(details, "order").value_or(""));
    fact("request", event.request_id);
    fact("relay", event.relay);
    add(base::join(facts, ", "));
    if (const auto advice = advice_for(event, program); !advice.empty()) add("next: " + advice);
    return text;
}

} // namespace acmetool::relay
