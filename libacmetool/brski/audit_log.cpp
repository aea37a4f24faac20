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
    const auto is_known = [&](const std::string& domain) {
        return policy.allow_other_domains ||
               std::find(policy.known_domains.begin(), policy.known_domains.end(), domain) !=
                   policy.known_domains.end();
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
    std::uint64_t left_out = 0;
    for (const auto& event : log.events) {
        const auto date = base::to_rfc3339(event.date);
        if (event.domain_id == own.domain_id) {
            const auto nonce = nonce_octets(event.nonce);
            const bool ours = nonce && asked.contains(*nonce);
            if (ours) seen.insert(*nonce);
            if (!ours && !is_known(event.domain_id))
                return not_ours(fmt::format("a voucher was issued on {}", date));
            left_out = std::max(left_out, event.truncated);
        } else if (!is_known(event.domain_id)) {
            return refuse(fmt::format("domain {} had a voucher for this device on {}",
                                      base::printable(event.domain_id, 60), date));
        }
        if (event.nonce.empty() && !policy.allow_nonceless)
            return refuse(fmt::format("a nonceless voucher was issued on {}, which remains valid", date));
    }
    if (left_out > asked.size() - seen.size() && !is_known(own.domain_id))
        return not_ours(fmt::format("some of {} vouchers omitted from the log were issued", left_out));
    if (log.nonceless_duplicates != 0 && !policy.allow_nonceless)
        return refuse("nonceless vouchers were issued and omitted from the log");
    if (log.arbitrary != 0 && !policy.allow_other_domains)
        return refuse(fmt::format("{} events were omitted from it", log.arbitrary));
    if (!current || !seen.contains(*current)) return refuse("the voucher just received is not in it");
    return {};
}

} // namespace acmetool::brski
