#include "ra/decider.h"

#include <algorithm>

#include <fmt/core.h>

#include "base/text.h"
#include "crypto/request_info.h"

namespace acmetool::ra
{
namespace
{

using enrol::Ground;
using enrol::Refusal;
using enrol::Refused;

constexpr std::chrono::seconds kLongestRetryAfter{300};
constexpr std::size_t kPolledPerSecond = 100;  ///< of the orders at the CA
constexpr std::chrono::seconds kCountedFor{1}; ///< orders of all relays

Result<crypto::Certificate> certificate_of(const CertificateRow& row)
{
    ACMETOOL_TRY(found, crypto::parse_certificates(as_text(row.der), "certificate in the store"));
    return found.front();
}

/// The identifier of an earlier version, if no other device can have had it; else empty.
std::string former_of(const Device& device)
{
    return device.only_former ? device.former : std::string{};
}

IssuerOrder to_issuer_order(const OrderRow& row)
{
    return {row.id, row.identifiers, row.domain, row.profile, row.url, row.unsure, row.request_id};
}

} // namespace

std::chrono::seconds Decider::retry_after(const OrderRow& row, base::TimePoint now) const
{
    const auto age = std::chrono::seconds{now - row.created};
    const auto turn = std::chrono::seconds{waiting_ / kPolledPerSecond};
    return std::clamp<std::chrono::seconds>(std::max(age / 4, std::min(turn, age)), options_->retry_after,
                                            std::max(options_->retry_after, kLongestRetryAfter));
}

Result<std::optional<Refused>> Decider::judge_renewal(const Application& application,
                                                      const Identity& identity) const
{
    // RFC 7030 section 4.2.2: "The Subject field and SubjectAltName extension MUST be identical to the
    // corresponding fields in the certificate being renewed/rekeyed."
    if (identity.kind != Identity::Kind::issued)
        return std::optional{refusal(Ground::not_the_certificate_to_renew,
                                     "a renewal must be requested with the certificate to renew")};
    if (application.request.csr.identifiers != identity.certificate->identifiers())
        return std::optional{refusal(Ground::differs_from_certificate,
                                     fmt::format("the request is for {}, but the certificate is for {}",
                                                 describe(application.request.csr.identifiers),
                                                 describe(identity.certificate->identifiers())))};
    if (!application.same_subject)
        return std::optional{
            refusal(Ground::differs_from_certificate,
                    fmt::format("the request's subject differs from that of the certificate to renew ({})",
                                base::printable(identity.certificate->subject())))};
    return std::optional<Refused>{};
}

Result<std::optional<Refused>> Decider::judge(Recognition& recognition, Records& records,
                                              const Application& application, const Identity& identity)
{
    // First: a key is revoked in whatever form it comes.
    if (identity.is_key_revoked)
        return std::optional{
            refusal(Ground::key_revoked, "a certificate for this key was revoked: create a new key")};
    if (identity.expired && !application.request.renewal)
        return std::optional{
            refusal(Ground::only_for_renewal,
                    fmt::format("the certificate expired at {} and authenticates only its renewal",
                                base::to_rfc3339(identity.certificate->not_after())))};
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
        ACMETOOL_TRY(told, recognition.names_of(identity, application.rules, Recognition::Names::enrolled));
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
            return std::optional{
                refusal(Ground::other_name, fmt::format("the request is for {}, but this device's name is {}",
                                                        base::join(wanted, ", "), base::join(names, ", ")))};
    }
    if (identity.kind == Identity::Kind::user)
        for (const auto& name : wanted) {
            ACMETOOL_TRY(owner, records.bind_name(name, identity.device.id, application.rules.domain.name));
            if (owner != identity.device.id)
                return std::optional{
                    refusal(Ground::name_taken, fmt::format("{} is the name of another device", name))};
        }
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

/// Far from the limit, the number of all orders may be a moment old; near it, it is exact, and stays so until
/// this one is counted.
Result<std::optional<std::chrono::seconds>> Decider::over_budget(Records& records, const Identity& identity,
                                                                 const SpentCounts& of_device, bool renewal,
                                                                 base::TimePoint now)
{
    const auto& device = identity.device;
    const auto limits = in_force(options_->limits, identity.inventory);
    if (!records.is_shared()) {
        budget_.set_limits(limits);
        return budget_.refuses(device.id, renewal, now, former_of(device));
    }
    const auto since = now - limits.budget_window;
    const auto fresh = [&]() -> Result<void> {
        ACMETOOL_TRY(counts, records.count_spent(since));
        seen_ = Seen{counts, 0, now};
        return {};
    };
    if (!seen_ || now - seen_->at >= kCountedFor || now < seen_->at) ACMETOOL_CHECK(fresh());
    const auto reserved = std::max<std::uint64_t>(seen_->counts.renewals, limits.renewal_reserve);
    const auto spent = seen_->counts.all - seen_->counts.renewals + reserved + seen_->since;
    if (2 * spent >= limits.orders_in_total) {
        ACMETOOL_CHECK(records.lock_spent());
        ACMETOOL_CHECK(fresh());
    }
    return refused_by(limits, of_device, seen_->counts, renewal, now);
}

Result<void> Decider::place(Records& records, const Application& application, const Identity& identity,
                            const Earlier& earlier, Verdict& verdict, base::TimePoint now)
{
    const auto& request = application.request;
    const auto& old = earlier.order;
    const bool continued = old && old->state == OrderState::failed && (old->unsure || !old->url.empty());
    OrderRow row;
    row.id = verdict.order_id;
    row.generation = old ? old->generation : 0;
    row.owner = run_;
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
        ACMETOOL_TRY(wait, over_budget(records, identity, earlier.spent, request.renewal, now));
        if (wait) {
            Refused refused = refusal(Ground::too_many_orders, "too many certificates were ordered recently");
            refused.retry_after = *wait;
            verdict.decision = std::move(refused);
            return {};
        }
        const Records::Spent spent{now, identity.device.id, request.renewal};
        ACMETOOL_CHECK(records.spend(spent));
        if (records.is_shared())
            ++seen_->since;
        else
            budget_.spend(spent);
    }
    verdict.start = to_issuer_order(row);
    if (request.renewal) verdict.start->renews = identity.certificate->not_after();
    verdict.start->intended = continued && row.url.empty();
    verdict.url = row.url;
    verdict.decision = enrol::Pending{options_->retry_after};
    return records.put(row);
}

Result<void> Decider::look_up(Records& records, const Application& application, const Identity& identity,
                              Verdict& verdict, base::TimePoint now)
{
    const auto& request = application.request;
    const auto former = former_of(identity.device);
    const auto order_of = [&](const std::string& device) {
        return order_id(application.info_digest, request.renewal ? identity.certificate_digest : "",
                        request.label, device);
    };
    const auto order = order_of(identity.device.id);
    // A renewal never has the certificate of a request before.
    ACMETOOL_TRY(earlier, records.earlier(request.renewal ? std::string{} : application.csr_digest, order,
                                          former.empty() ? order : order_of(former), identity.device.id,
                                          former, now - options_->limits.budget_window));
    const auto& profile = application.rules.options.profile;
    ACMETOOL_TRY(cached, still_good(records, earlier.certificate, now));
    if (cached) {
        // Of a request for another label, or before the profile was changed.
        ACMETOOL_TRY(ordered, records.profile_of(*earlier.certificate));
        if (ordered && *ordered != profile) cached.reset();
    }
    if (cached) {
        verdict.decision = enrol::Issued{std::move(*cached)};
        verdict.from_cache = true;
        return {};
    }
    const auto& row = earlier.order;
    verdict.order_id = row ? row->id : order;
    if (row) verdict.url = row->url;
    if (row && row->state == OrderState::issued && row->profile == profile) {
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
        refused.ground = Ground::failure_remembered;
        verdict.remembered = Remembered{row->created, row->until};
        refused.text += fmt::format("; remembered since {}, the next try is due at {}",
                                    base::to_rfc3339(row->created), base::to_rfc3339(row->until));
        if (refused.why == Refusal::unavailable || refused.why == Refusal::internal)
            refused.retry_after = std::chrono::seconds{row->until - now};
        verdict.decision = std::move(refused);
        return {};
    } else if (row && (row->state == OrderState::intent || row->state == OrderState::placed)) {
        verdict.decision = enrol::Pending{retry_after(*row, now)};
        const bool waits = request.wait.value_or(options_->wait).count() > 0;
        if (row->owner != run_ && !row->watched && waits) return records.watch(row->id);
        return {};
    }
    return place(records, application, identity, earlier, verdict, now);
}

Result<Verdict> Decider::decide(Records& records, Application& application, base::TimePoint now)
{
    Verdict verdict;
    Recognition recognition{records, *options_, *application.files, Recognition::Use::writing};
    ACMETOOL_TRY(identified, recognition.identify(application.claim, application.key_digest,
                                                  application.request.label, now));
    if (auto* refused = std::get_if<Refused>(&identified)) {
        ACMETOOL_TRY(device, recognition.claimed_device(application.claim));
        verdict.device = std::move(device);
        verdict.decision = std::move(*refused);
        return verdict;
    }
    const auto& identity = std::get<Identity>(identified);
    verdict.device = identity.device;
    auto& request = application.request;
    // A CA may leave the subject out, and the device repeats its request of before.
    application.same_subject =
        application.same_subject ||
        (!identity.subject.empty() && crypto::requests_subject(request.csr, identity.subject));
    request.renewal = request.renewal || is_renewal(request, identity, application.same_subject);
    ACMETOOL_TRY(refused, judge(recognition, records, application, identity));
    if (refused)
        verdict.decision = std::move(*refused);
    else
        ACMETOOL_CHECK(look_up(records, application, identity, verdict, now));
    if (auto* made = std::get_if<Refused>(&verdict.decision)) made->authenticated = true;
    return verdict;
}

} // namespace acmetool::ra
