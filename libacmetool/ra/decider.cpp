#include "ra/decider.h"

#include <algorithm>

#include <fmt/core.h>

#include "base/text.h"
#include "crypto/path.h"
#include "crypto/request_info.h"
#include "enrol/device_label.h"

namespace acmetool::ra
{
namespace
{

using enrol::Refusal;
using enrol::Refused;

constexpr std::chrono::seconds kLongestRetryAfter{300};

Result<crypto::Certificate> certificate_of(const CertificateRow& row)
{
    ACMETOOL_TRY(found, crypto::parse_certificates(as_text(row.der), "certificate in the store"));
    return found.front();
}

std::vector<std::string> dns_names(const std::vector<crypto::Identifier>& identifiers)
{
    std::vector<std::string> names;
    for (const auto& identifier : identifiers)
        if (identifier.type == "dns") names.push_back(identifier.value);
    return names;
}

IssuerOrder to_issuer_order(const OrderRow& row)
{
    return {row.id, row.identifiers, row.domain, row.profile, row.url, row.unsure, row.request_id};
}

} // namespace

std::chrono::seconds Decider::retry_after(const OrderRow& row, base::TimePoint now) const
{
    const auto share = std::chrono::seconds{now - row.created} / 4;
    return std::clamp<std::chrono::seconds>(share, options_->retry_after,
                                            std::max(options_->retry_after, kLongestRetryAfter));
}

Result<Decider::OrRefused<Identity>> Decider::identify(Records& records, const Claim& claim,
                                                       const std::string& label, const Files& files,
                                                       base::TimePoint now)
{
    Identity identity;
    identity.certificate = claim.certificate;
    identity.certificate_digest = claim.certificate_digest;
    std::optional<CertificateRow> issued;
    if (claim.certificate && options_->issued.ra_issued) {
        ACMETOOL_TRY(row, records.certificate(claim.certificate_digest));
        issued = std::move(row);
    }
    if (issued) {
        // Behind a public CA a path to its root proves nothing: the store holds this very certificate.
        identity.kind = Identity::Kind::issued;
        identity.device = issued->device;
        identity.names = dns_names(issued->identifiers);
        ACMETOOL_TRY(revoked, records.is_revoked(issued->serial));
        if (revoked) return OrRefused<Identity>{refusal(Refusal::forbidden, "the certificate was revoked")};
        if (now < issued->not_before || now >= issued->not_after)
            return OrRefused<Identity>{
                refusal(Refusal::unauthenticated, "the certificate has expired, or is not valid yet")};
        if (options_->issued.eku == "clientAuth" &&
            !crypto::has_extended_key_usage(*claim.certificate, crypto::kClientAuthPurpose))
            return OrRefused<Identity>{
                refusal(Refusal::unauthenticated, "the certificate is not for clients (extended key usage)")};
    } else if (claim.idevid) {
        identity.kind = Identity::Kind::idevid;
        identity.device = *claim.idevid;
    } else if (!claim.user.empty()) {
        identity.kind = Identity::Kind::user;
        identity.device = {"user:" + claim.user, ""};
        identity.names = claim.user_names;
    } else {
        return OrRefused<Identity>{refusal(
            Refusal::unauthenticated,
            claim.certificate
                ? fmt::format(
                      "the certificate was issued neither by a known manufacturer nor by this relay ({})",
                      claim.why_not)
                : "an identity is required: a client certificate, or user and password")};
    }
    ACMETOOL_TRY(blocked, records.is_blocked(identity.device));
    if (blocked) return OrRefused<Identity>{refusal(Refusal::forbidden, "the device is blocked")};
    if (!is_known(identity.device, label, *options_, files))
        return OrRefused<Identity>{
            refusal(Refusal::forbidden, fmt::format("device {} is not in the inventory for this label",
                                                    base::printable(identity.device.serial, 200)))};
    return OrRefused<Identity>{std::move(identity)};
}

Result<Decider::OrRefused<std::vector<std::string>>> Decider::names_of(Records& records,
                                                                       const Identity& identity,
                                                                       const LabelRules& rules,
                                                                       const Files& files, bool make)
{
    using Names = OrRefused<std::vector<std::string>>;
    if (identity.kind != Identity::Kind::idevid) {
        if (identity.names.empty())
            return Names{refusal(Refusal::forbidden, "this user has no allowed name")};
        return Names{identity.names};
    }
    const auto& domain = rules.domain.name;
    const auto& device = identity.device;
    // Random names are looked up by device: those that come from the serial number do not count among them.
    const auto group = rules.options.san == "random" ? "random " + domain : domain;
    std::vector<std::string> names;
    if (rules.options.san == "table") {
        names = table_names(files, device.serial, domain);
        if (names.empty())
            return Names{refusal(Refusal::forbidden, "the inventory has no name for the device")};
    } else if (rules.options.san == "random") {
        ACMETOOL_TRY(known, records.name_of_device(device.id, group));
        if (!known && !make)
            return Names{
                refusal(Refusal::bad_identity, "the device has no name yet: request csrattrs first")};
        names.push_back(known ? *known : enrol::random_label() + "." + domain);
    } else {
        names.push_back(enrol::device_label(device.serial) + "." + domain);
    }
    for (const auto& name : names) {
        ACMETOOL_TRY(owner, records.bind_name(name, device.id, group));
        if (owner != device.id)
            return Names{
                refusal(Refusal::bad_identity, fmt::format("{} is the name of another device", name))};
    }
    return Names{std::move(names)};
}

Result<std::optional<Refused>> Decider::judge_renewal(const Application& application,
                                                      const Identity& identity) const
{
    // RFC 7030 section 4.2.2: "The Subject field and SubjectAltName extension MUST be identical to the
    // corresponding fields in the certificate being renewed/rekeyed."
    if (identity.kind != Identity::Kind::issued)
        return std::optional{
            refusal(Refusal::forbidden, "a renewal must be requested with the certificate to renew")};
    if (application.request.csr.identifiers != identity.certificate->identifiers())
        return std::optional{
            refusal(Refusal::bad_identity, fmt::format("the request is for {}, but the certificate is for {}",
                                                       describe(application.request.csr.identifiers),
                                                       describe(identity.certificate->identifiers())))};
    if (!application.same_subject)
        return std::optional{
            refusal(Refusal::bad_identity,
                    fmt::format("the request's subject differs from that of the certificate to renew ({})",
                                base::printable(identity.certificate->subject())))};
    return std::optional<Refused>{};
}

Result<std::optional<Refused>> Decider::judge(Records& records, const Application& application,
                                              const Identity& identity)
{
    if (application.csr_refusal) return application.csr_refusal;
    if (application.contents.refused) return application.contents.refused;
    // RFC 7030 section 4.2.2: a renewal has the subject of the certificate, whatever that is.
    const bool keeps_subject = identity.kind == Identity::Kind::issued && application.same_subject;
    if (!keeps_subject)
        if (auto refused = judge_subject(application.contents, identity.device)) return refused;
    // RFC 7030 section 3.7: an RA is known by id-kp-cmcRA in a certificate of the CA's own. The channel of
    // its request is not that of the client it speaks for. No text gives a TEAP peer that right.
    const bool is_ra = application.request.relayed_by_ra && identity.kind == Identity::Kind::issued &&
                       is_registration_authority(*identity.certificate);
    if (application.binding_refusal && !is_ra) return application.binding_refusal;
    if (application.request.renewal) {
        ACMETOOL_TRY(refused, judge_renewal(application, identity));
        if (refused) return std::move(refused);
    }
    const auto wanted = dns_names(application.request.csr.identifiers);
    if (!application.request.renewal) {
        ACMETOOL_TRY(told, names_of(records, identity, application.rules, *application.files, false));
        if (auto* refused = std::get_if<Refused>(&told)) return std::optional{std::move(*refused)};
        auto names = std::get<std::vector<std::string>>(std::move(told));
        std::sort(names.begin(), names.end());
        const bool allowed =
            identity.kind == Identity::Kind::user
                ? std::all_of(
                      wanted.begin(), wanted.end(),
                      [&](const auto& name) { return std::binary_search(names.begin(), names.end(), name); })
                : wanted == names;
        if (!allowed)
            return std::optional{refusal(Refusal::bad_identity,
                                         fmt::format("the request is for {}, but this device's name is {}",
                                                     base::join(wanted, ", "), base::join(names, ", ")))};
    }
    if (identity.kind == Identity::Kind::user)
        for (const auto& name : wanted) {
            ACMETOOL_TRY(owner, records.bind_name(name, identity.device.id, application.rules.domain.name));
            if (owner != identity.device.id)
                return std::optional{
                    refusal(Refusal::bad_identity, fmt::format("{} is the name of another device", name))};
        }
    ACMETOOL_TRY(revoked, records.is_key_revoked(application.key_digest));
    if (revoked)
        return std::optional{
            refusal(Refusal::forbidden, "a certificate for this key was revoked: create a new key")};
    return std::optional<Refused>{};
}

Result<std::optional<crypto::Certificate>>
Decider::still_good(Records& records, const std::optional<CertificateRow>& row, base::TimePoint now) const
{
    if (!row || now >= options_->reissue_margin.due(row->not_before, row->not_after))
        return std::optional<crypto::Certificate>{};
    ACMETOOL_TRY(revoked, records.is_revoked(row->serial));
    if (revoked) return std::optional<crypto::Certificate>{};
    ACMETOOL_TRY(certificate, certificate_of(*row));
    return std::optional{std::move(certificate)};
}

Result<void> Decider::place(Records& records, const Application& application, const Identity& identity,
                            const std::optional<OrderRow>& old, Verdict& verdict, base::TimePoint now)
{
    const auto& request = application.request;
    const bool continued = old && old->state == OrderState::failed && (old->unsure || !old->url.empty());
    OrderRow row;
    row.id = verdict.order_id;
    row.device = identity.device;
    row.label = request.label;
    row.domain = application.rules.domain.name;
    row.profile = application.rules.options.profile;
    row.renewal = request.renewal;
    row.identifiers = request.csr.identifiers;
    row.csr = request.csr.der;
    row.request_id = request.request_id;
    row.created = now;
    if (continued) {
        // The order at the CA has the CSR of then, or may have it.
        row.csr = old->csr;
        row.url = old->url;
        row.state = row.url.empty() ? OrderState::intent : OrderState::placed;
    } else {
        if (const auto wait = budget_.refuses(identity.device.id, request.renewal, now)) {
            Refused refused = refusal(Refusal::too_many, "too many certificates were ordered recently");
            refused.retry_after = *wait;
            verdict.decision = std::move(refused);
            return {};
        }
        Records::Spent spent{now, identity.device.id, request.renewal};
        ACMETOOL_CHECK(records.spend(spent));
        budget_.spend(std::move(spent));
    }
    verdict.start = to_issuer_order(row);
    verdict.start->intended = continued && row.url.empty();
    verdict.url = row.url;
    verdict.decision = enrol::Pending{options_->retry_after};
    return records.put(row);
}

Result<void> Decider::look_up(Records& records, const Application& application, const Identity& identity,
                              Verdict& verdict, base::TimePoint now)
{
    const auto& request = application.request;
    if (!request.renewal) {
        ACMETOOL_TRY(cached, records.certificate_for(application.csr_digest, identity.device.id));
        ACMETOOL_TRY(certificate, still_good(records, cached, now));
        if (certificate) {
            verdict.decision = enrol::Issued{std::move(*certificate)};
            verdict.from_cache = true;
            return {};
        }
    }
    verdict.order_id = order_id(application.info_digest, request.renewal ? identity.certificate_digest : "",
                                request.label, identity.device);
    ACMETOOL_TRY(row, records.order(verdict.order_id));
    if (row) verdict.url = row->url;
    if (row && row->state == OrderState::issued) {
        ACMETOOL_TRY(known, records.certificate(row->certificate));
        ACMETOOL_TRY(certificate, still_good(records, known, now));
        if (certificate) {
            verdict.decision = enrol::Issued{std::move(*certificate)};
            verdict.from_cache = true;
            return {};
        }
    } else if (row && row->state == OrderState::failed && row->created <= now && now < row->until) {
        // A failure of the future is one of a clock that was wrong, and would be held against the device for
        // as long.
        Refused refused = row->failure;
        if (refused.why == Refusal::unavailable || refused.why == Refusal::internal)
            refused.retry_after = std::chrono::seconds{row->until - now};
        verdict.decision = std::move(refused);
        return {};
    } else if (row && row->state != OrderState::failed) {
        verdict.decision = enrol::Pending{retry_after(*row, now)};
        return {};
    }
    return place(records, application, identity, row, verdict, now);
}

Result<Verdict> Decider::decide(Records& records, Application& application, base::TimePoint now)
{
    Verdict verdict;
    ACMETOOL_TRY(identified,
                 identify(records, application.claim, application.request.label, *application.files, now));
    if (auto* refused = std::get_if<Refused>(&identified)) {
        if (application.claim.idevid) verdict.device = *application.claim.idevid;
        verdict.decision = std::move(*refused);
        return verdict;
    }
    const auto& identity = std::get<Identity>(identified);
    verdict.device = identity.device;
    auto& request = application.request;
    request.renewal = request.renewal || is_renewal(request, identity);
    ACMETOOL_TRY(refused, judge(records, application, identity));
    if (refused)
        verdict.decision = std::move(*refused);
    else
        ACMETOOL_CHECK(look_up(records, application, identity, verdict, now));
    if (auto* made = std::get_if<Refused>(&verdict.decision)) made->authenticated = true;
    return verdict;
}

Result<Decider::Told> Decider::attributes(Records& records, const Claim& claim, const LabelRules& rules,
                                          const std::string& label, const Files& files, base::TimePoint now)
{
    enrol::CsrAttributes attributes;
    attributes.key_type = rules.options.key_type;
    attributes.channel_binding = options_->pop == Pop::required;
    Told told;
    ACMETOOL_TRY(identified, identify(records, claim, label, files, now));
    if (auto* refused = std::get_if<Refused>(&identified)) {
        // Who shows nothing learns no name, but what a request has to look like (ESTS-23).
        const bool nobody = refused->why == Refusal::unauthenticated;
        told.decision = nobody ? enrol::AttributesDecision{std::move(attributes)}
                               : enrol::AttributesDecision{std::move(*refused)};
        return told;
    }
    const auto& identity = std::get<Identity>(identified);
    told.device = identity.device;
    attributes.device_serial = identity.device.serial;
    attributes.issued_here = identity.kind == Identity::Kind::issued;
    ACMETOOL_TRY(names, names_of(records, identity, rules, files, true));
    if (auto* refused = std::get_if<Refused>(&names)) {
        refused->authenticated = true;
        told.decision = std::move(*refused);
        return told;
    }
    for (const auto& name : std::get<std::vector<std::string>>(names))
        attributes.identifiers.push_back({"dns", name});
    told.decision = std::move(attributes);
    return told;
}

} // namespace acmetool::ra
