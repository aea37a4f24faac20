#include "brski/audit_log.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "base/base64url.h"
#include "base/json.h"
#include "base/text.h"
#include "brski/voucher.h"
#include "crypto/digest.h"
#include "crypto/extension.h"

namespace acmetool::brski
{
namespace
{

using base::Json;

constexpr std::size_t kMostEvents = 10'000;
constexpr std::size_t kLongestText = 256;

tl::unexpected<Error> bad_audit_log(std::string_view why)
{
    return fail(Errc::protocol, fmt::format("audit log: {}", why), {}, "badAuditLog");
}

/// A count as number or string; nothing if it is neither.
std::optional<std::uint64_t> count_of(const Json& object, std::string_view name)
{
    const auto found = object.find(name);
    if (found == object.end()) return 0;
    if (found->is_number_unsigned()) return found->get<std::uint64_t>();
    if (!found->is_string()) return std::nullopt;
    const auto text = found->get<std::string>();
    std::uint64_t count = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), count);
    if (problem != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return count;
}

Result<AuditEvent> parse_event(const Json& object)
{
    if (!object.is_object()) return bad_audit_log("an event is not an object");
    AuditEvent event;
    const auto date = base::string_member(object, "date");
    const auto time = date ? base::parse_rfc3339(*date) : fail(Errc::bad_input, "");
    if (!time) return bad_audit_log("an event without a date");
    event.date = *time;
    event.domain_id = base::string_member(object, "domainID").value_or(std::string{});
    event.nonce = base::string_member(object, "nonce").value_or(std::string{});
    event.assertion = base::string_member(object, "assertion").value_or(std::string{});
    if (event.domain_id.empty() || event.domain_id.size() > kLongestText)
        return bad_audit_log("an event without a domainID");
    if (event.nonce.size() > kLongestText || event.assertion.size() > kLongestText)
        return bad_audit_log("an event with a string that is too long");
    const auto truncated = count_of(object, "truncated");
    if (!truncated) return bad_audit_log("\"truncated\" is not a count");
    event.truncated = *truncated;
    return event;
}

/// The octets of a domainID. The log has it in base64 (section 5.8.1), but there are MASAs that write
/// base64url, leave the padding out, or write the hexadecimal digits of a key identifier or a SHA-256.
Bytes domain_octets(std::string_view text)
{
    constexpr std::string_view kDigits = "0123456789abcdefABCDEF";
    if ((text.size() == 40 || text.size() == 64) &&
        text.find_first_not_of(kDigits) == std::string_view::npos) {
        Bytes octets(text.size() / 2);
        for (std::size_t i = 0; i < octets.size(); ++i)
            std::from_chars(text.data() + 2 * i, text.data() + 2 * i + 2, octets[i], 16);
        return octets;
    }
    std::string plain{text.substr(0, text.find_last_not_of('=') + 1)};
    std::replace(plain.begin(), plain.end(), '+', '-');
    std::replace(plain.begin(), plain.end(), '/', '_');
    auto octets = base::parse_base64url(plain);
    return octets ? std::move(*octets) : Bytes{text.begin(), text.end()};
}

} // namespace

Result<AuditLog> parse_audit_log(std::string_view json)
{
    auto document = base::parse_json_object(json, "audit log");
    if (!document) return bad_audit_log(document.error().message);
    if (const auto version = document->find("version");
        version == document->end() || (*version != 1 && *version != "1"))
        return bad_audit_log("\"version\" is not 1");
    const auto events = document->find("events");
    if (events == document->end() || !events->is_array()) return bad_audit_log("\"events\" is missing");
    if (events->size() > kMostEvents) return bad_audit_log(fmt::format("more than {} events", kMostEvents));
    AuditLog log;
    for (const auto& one : *events) {
        ACMETOOL_TRY(event, parse_event(one));
        log.events.push_back(std::move(event));
    }
    const auto truncation = document->find("truncation");
    if (truncation == document->end() || !truncation->is_object()) return log;
    const auto nonced = count_of(*truncation, "nonced duplicates");
    const auto nonceless = count_of(*truncation, "nonceless duplicates");
    const auto arbitrary = count_of(*truncation, "arbitrary");
    if (!nonced || !nonceless || !arbitrary)
        return bad_audit_log("\"truncation\" contains something other than counts");
    log.nonced_duplicates = *nonced;
    log.nonceless_duplicates = *nonceless;
    log.arbitrary = *arbitrary;
    return log;
}

std::string to_json(const AuditLog& log)
{
    Json events = Json::array();
    for (const auto& event : log.events) {
        Json one{{"date", base::to_rfc3339(event.date)},
                 {"domainID", event.domain_id},
                 {"nonce", event.nonce.empty() ? Json{} : Json(event.nonce)},
                 {"assertion", event.assertion}};
        if (event.truncated != 0) one["truncated"] = event.truncated;
        events.push_back(std::move(one));
    }
    return base::to_text(Json{{"version", 1},
                              {"events", events},
                              {"truncation",
                               {{"nonced duplicates", log.nonced_duplicates},
                                {"nonceless duplicates", log.nonceless_duplicates},
                                {"arbitrary", log.arbitrary}}}});
}

std::string domain_id(const crypto::Certificate& pinned)
{
    const auto given = crypto::subject_key_id(pinned);
    return base::to_base64(given ? *given : crypto::sha256(pinned.public_key().encoded_spki()));
}

Result<void> judge(const AuditLog& log, const AuditPolicy& policy, const OwnVouchers& own)
{
    const auto refuse = [](const std::string& why, const std::string& hint = {}) {
        return fail(Errc::refused, "audit log: " + why,
                    hint.empty() ? "ask the previous owner or the manufacturer; the policy is in [brski]"
                                 : hint,
                    "auditLog");
    };
    std::set<Bytes> known;
    for (const auto& domain : policy.known_domains)
        known.insert(domain_octets(domain));
    const auto own_domain = domain_octets(own.domain_id);
    const auto is_taken = [&](const Bytes& domain) {
        return policy.allow_other_domains || known.contains(domain);
    };
    const auto not_ours = [&](const std::string& what) {
        return refuse(what + " in the name of this domain, but this registrar did not request it",
                      fmt::format("if another registrar of this domain requested it, or the store is new: "
                                  "add {} to known_domains in [brski]",
                                  base::printable(own.domain_id, 60)));
    };
    std::set<Bytes> asked = own.asked_before;
    const auto current = nonce_octets(own.nonce);
    if (current) asked.insert(*current);
    std::set<Bytes> seen;
    bool is_there = false; // the voucher just received
    std::uint64_t left_out = 0;
    for (const auto& event : log.events) {
        const auto date = base::to_rfc3339(event.date);
        const auto domain = domain_octets(event.domain_id);
        const auto nonce = nonce_octets(event.nonce);
        const bool is_current = nonce && nonce == current;
        // Of a domain that is only not forbidden, such an event is no proof that there is one of this domain.
        if (is_current && (domain == own_domain || known.contains(domain))) is_there = true;
        if (domain == own_domain) {
            const bool ours = nonce && asked.contains(*nonce);
            if (ours) seen.insert(*nonce);
            if (!ours && !is_taken(domain)) return not_ours(fmt::format("a voucher was issued on {}", date));
            left_out = std::max(left_out, event.truncated);
        } else if (!is_taken(domain)) {
            const auto name = base::printable(event.domain_id, 60);
            return refuse(fmt::format("domain {} had a voucher for this device on {}", name, date),
                          is_current ? fmt::format("it has the nonce of the voucher just received: if the "
                                                   "manufacturer says that its MASA names this domain so, "
                                                   "add {} to known_domains in [brski]",
                                                   name)
                                     : std::string{});
        }
        if (event.nonce.empty() && !policy.allow_nonceless)
            return refuse(fmt::format("a nonceless voucher was issued on {}, which remains valid", date));
    }
    if (left_out > asked.size() - seen.size() && !is_taken(own_domain))
        return not_ours(fmt::format("some of {} vouchers omitted from the log were issued", left_out));
    if (log.nonceless_duplicates != 0 && !policy.allow_nonceless)
        return refuse("nonceless vouchers were issued and omitted from the log");
    if (log.arbitrary != 0 && !policy.allow_other_domains)
        return refuse(fmt::format("{} events were omitted from it", log.arbitrary));
    if (!is_there) return refuse("the voucher just received is not in it");
    return {};
}

} // namespace acmetool::brski
