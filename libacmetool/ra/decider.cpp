#include "ra/decider.h"

#include <algorithm>
#include <set>

#include <fmt/core.h>

#include "base/text.h"
#include "crypto/path.h"
#include "crypto/request_info.h"
#include "enrol/device_label.h"

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

std::vector<std::string> dns_names(const std::vector<crypto::Identifier>& identifiers)
{
    std::vector<std::string> names;
    for (const auto& identifier : identifiers)
        if (identifier.type == "dns") names.push_back(identifier.value);
    return names;
}

/// The identifier of an earlier version, if no other device can have had it; else empty.
std::string former_of(const Device& device)
{
    return device.only_former ? device.former : std::string{};
}

/// True if `other`, an identifier in the store, means the device. `chosen`: the inventory says whose it is.
bool is_same(const Device& device, const std::string& other, bool chosen)
{
    if (std::find(device.others.begin(), device.others.end(), other) != device.others.end()) return true;
    return !device.former.empty() && other == device.former &&
           (device.only_former || (chosen && issuer_in_former_id(other, device.serial)));
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

Result<Decider::OrRefused<Identity>> Decider::identify(Records& records, const Claim& claim,
                                                       const std::string& key_digest,
                                                       const std::string& label, const Files& files,
                                                       base::TimePoint now)
{
    Identity identity;
    identity.certificate = claim.certificate;
    identity.certificate_digest = claim.certificate_digest;
    std::optional<Shown> shown;
    if (claim.certificate && options_->issued.ra_issued) {
        ACMETOOL_TRY(found, records.shown(claim.certificate_digest));
        shown = std::move(found);
    }
    if (shown) {
        auto& issued = shown->certificate;
        // Behind a public CA a path to its root proves nothing: the store holds this very certificate.
        identity.kind = Identity::Kind::issued;
        identity.device = device_of(issued.device, shown->device_now, files);
        identity.names = dns_names(issued.identifiers);
        identity.subject = std::move(issued.subject);
        if (shown->is_revoked)
            return OrRefused<Identity>{refusal(Ground::revoked, "the certificate was revoked")};
        if (auto refused = judge_dates(*claim.certificate, options_->issued, now))
            return OrRefused<Identity>{std::move(*refused)};
        identity.expired = now >= issued.not_after;
        if (auto refused = judge_usage(*claim.certificate, options_->issued))
            return OrRefused<Identity>{std::move(*refused)};
        if (claim.revocation) return OrRefused<Identity>{*claim.revocation};
    } else if (claim.idevid) {
        identity.kind = Identity::Kind::idevid;
        identity.device = *claim.idevid;
    } else if (claim.private_ca) {
        ACMETOOL_TRY(found, identify_private(records, claim, std::move(identity), files));
        auto* const known = std::get_if<Identity>(&found);
        if (known == nullptr) return found;
        identity = std::move(*known);
    } else if (!claim.user.empty()) {
        identity.kind = Identity::Kind::user;
        identity.device = {"user:" + claim.user, ""};
        identity.names = claim.user_names;
    } else if (claim.undetermined) {
        return OrRefused<Identity>{undetermined(claim.why_not)};
    } else {
        return OrRefused<Identity>{refusal(
            claim.certificate ? claim.ground : Ground::no_identity,
            claim.certificate ? claim.why_not
                              : "an identity is required: a client certificate, or user and password")};
    }
    ACMETOOL_TRY(refused, judge_known(records, identity, key_digest, label, files));
    if (!refused) return OrRefused<Identity>{std::move(identity)};
    refused->authenticated = true;
    return OrRefused<Identity>{std::move(*refused)};
}

/// The holder of a certificate that another relay obtained is the device that has its names here, or, if none
/// has, is known by them.
Result<Decider::OrRefused<Identity>> Decider::identify_private(Records& records, const Claim& claim,
                                                               Identity identity, const Files& files) const
{
    const auto& by_ca = *claim.private_ca;
    if (by_ca.refusal) return OrRefused<Identity>{*by_ca.refusal};
    if (auto refused = judge_private_names(by_ca, options_->domains))
        return OrRefused<Identity>{std::move(*refused)};
    if (auto refused = judge_usage(*claim.certificate, options_->issued))
        return OrRefused<Identity>{std::move(*refused)};
    ACMETOOL_TRY(revoked, records.is_revoked(claim.certificate->serial()));
    if (revoked) return OrRefused<Identity>{refusal(Ground::revoked, "the certificate was revoked")};
    identity.kind = Identity::Kind::issued;
    identity.names = by_ca.names;
    std::set<std::string> owners;
    for (const auto& name : by_ca.names) {
        ACMETOOL_TRY(owner, records.owner_of_name(name));
        if (owner) owners.insert(*owner);
    }
    if (owners.size() > 1)
        return OrRefused<Identity>{
            refusal(Ground::several_devices, "the certificate has names of several devices")};
    if (owners.empty()) {
        identity.device = {"name:" + by_ca.names.front(), ""};
        return OrRefused<Identity>{std::move(identity)};
    }
    const auto parts = enrol::parse_qualified_serial(*owners.begin());
    ACMETOOL_TRY(device_now, records.device_now(*owners.begin()));
    identity.device = device_of({*owners.begin(), parts ? parts->serial : ""}, device_now, files);
    return OrRefused<Identity>{std::move(identity)};
}

/// Whether a device whose identity holds may enrol.
Result<std::optional<Refused>> Decider::judge_known(Records& records, Identity& identity,
                                                    const std::string& key_digest, const std::string& label,
                                                    const Files& files)
{
    const auto& device = identity.device;
    ACMETOOL_TRY(found, records.objections(device, key_digest,
                                           files.inventory_in_store ? Objections::With::inventory
                                                                    : Objections::With::nothing));
    identity.is_key_revoked = found.is_key_revoked;
    identity.listed =
        files.inventory_in_store ? std::move(found.listed) : files.inventory.listed(device.serial);
    identity.inventory = files.inventory_in_store ? found.inventory : files.inventory.size();
    if (found.block) return std::optional{refusal(Ground::blocked, "the device is blocked")};
    if (auto refused = judge_device(device, label, *options_, identity.listed)) return refused;
    if (identity.kind != Identity::Kind::idevid) return std::optional<Refused>{};
    ACMETOOL_TRY(first, is_first(records, identity, files));
    if (first) return std::optional<Refused>{};
    return std::optional{
        refusal(Ground::other_manufacturer,
                fmt::format("serial number {} in the inventory is in use by a device of another manufacturer",
                            base::printable(device.serial, 200)))};
}

/// The device that a certificate was issued to, as it is known today.
Device Decider::device_of(const Device& row, const std::optional<std::string>& now, const Files& files)
{
    if (!now) return device_of_row(row, files.manufacturers);
    auto device = device_of_row({*now, row.serial}, files.manufacturers);
    device.former = row.id;
    device.only_former = true;
    return device;
}

/// An entry of the inventory that names no manufacturer is for one device: the first that comes.
Result<bool> Decider::is_first(Records& records, const Identity& identity, const Files& files)
{
    const auto* entry = identity.listed.find(identity.device);
    if (files.manufacturers.size() < 2 || entry == nullptr || !entry->whose.empty()) return true;
    // No DNS name has a blank.
    return holds(records, "inventory " + enrol::escape_serial(identity.device.serial), identity, "inventory");
}

/// True if the name is the device's, or was nobody's: it is bound now, unless the device is only told of it.
///
/// A name under an identifier that can mean only this device is the device's. So is one of a device with the
/// same serial number, if the inventory has only this device's manufacturer for it.
Result<bool> Decider::holds(Records& records, const std::string& name, const Identity& identity,
                            const std::string& group, Use use)
{
    const auto& device = identity.device;
    std::string owner;
    if (use == Use::telling) {
        ACMETOOL_TRY(known, records.owner_of_name(name));
        if (!known) return true;
        owner = std::move(*known);
    } else {
        ACMETOOL_TRY(bound, records.bind_name(name, device.id, group));
        owner = std::move(bound);
    }
    if (owner == device.id) return true;
    const bool chosen = identity.listed.names_only(device);
    if (is_same(device, owner, chosen)) {
        ACMETOOL_CHECK(records.adopt(owner, device.id));
        return true;
    }
    const auto parts = enrol::parse_qualified_serial(owner);
    const bool same_serial = parts && enrol::is_anchor_digest(parts->whose) && parts->serial == device.serial;
    if (!chosen || !(same_serial || issuer_in_former_id(owner, device.serial))) return false;
    ACMETOOL_CHECK(records.give_name(name, device.id));
    return true;
}

Result<Decider::OrRefused<std::vector<std::string>>>
Decider::names_of(Records& records, const Identity& identity, const LabelRules& rules, Use use)
{
    using Names = OrRefused<std::vector<std::string>>;
    if (identity.kind != Identity::Kind::idevid) {
        if (identity.names.empty())
            return Names{refusal(Ground::user_without_names, "this user has no allowed name")};
        return Names{identity.names};
    }
    const auto& domain = rules.domain.name;
    const auto& device = identity.device;
    // Random names are looked up by device: those that come from the serial number do not count among them.
    const auto group = rules.options.san == "random" ? "random " + domain : domain;
    std::vector<std::string> names;
    if (rules.options.san == "table") {
        names = table_names(identity.listed, device, domain);
        if (names.empty())
            return Names{refusal(Ground::device_without_names, "the inventory has no name for the device")};
    } else if (rules.options.san == "random") {
        ACMETOOL_TRY(known, random_name(records, identity, group));
        if (!known && use == Use::enrolling)
            return Names{refusal(Ground::no_name_yet, "the device has no name yet: request csrattrs first")};
        names.push_back(known ? *known : enrol::random_label() + "." + domain);
        use = Use::enrolling; // a name that was told stays
    } else {
        names.push_back(enrol::device_label(device.serial) + "." + domain);
    }
    for (const auto& name : names) {
        ACMETOOL_TRY(held, holds(records, name, identity, group, use));
        if (!held)
            return Names{refusal(Ground::name_taken, fmt::format("{} is the name of another device", name))};
    }
    return Names{std::move(names)};
}

/// The random name of the device, under any of its identifiers.
Result<std::optional<std::string>> Decider::random_name(Records& records, const Identity& identity,
                                                        const std::string& group)
{
    const auto& device = identity.device;
    ACMETOOL_TRY(known, records.name_of_device(device.id, group));
    if (known) return known;
    auto others = device.others;
    others.push_back(device.former);
    for (const auto& other : others) {
        if (!is_same(device, other, identity.listed.names_only(device))) continue;
        ACMETOOL_TRY(found, records.name_of_device(other, group));
        if (!found) continue;
        ACMETOOL_CHECK(records.adopt(other, device.id));
        return found;
    }
    return std::optional<std::string>{};
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

Result<std::optional<Refused>> Decider::judge(Records& records, const Application& application,
                                              const Identity& identity)
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
        ACMETOOL_TRY(told, names_of(records, identity, application.rules, Use::enrolling));
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

/// Whose certificate it is that is not accepted; without id if nobody knows.
Result<Device> Decider::claimed_device(Records& records, const Application& application)
{
    const auto& claim = application.claim;
    if (claim.idevid) return *claim.idevid;
    if (claim.certificate_digest.empty()) return Device{};
    ACMETOOL_TRY(shown, records.shown(claim.certificate_digest));
    return shown ? device_of(shown->certificate.device, shown->device_now, *application.files) : Device{};
}

Result<Verdict> Decider::decide(Records& records, Application& application, base::TimePoint now)
{
    Verdict verdict;
    ACMETOOL_TRY(identified, identify(records, application.claim, application.key_digest,
                                      application.request.label, *application.files, now));
    if (auto* refused = std::get_if<Refused>(&identified)) {
        ACMETOOL_TRY(device, claimed_device(records, application));
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
    ACMETOOL_TRY(identified, identify(records, claim, {}, label, files, now));
    if (auto* refused = std::get_if<Refused>(&identified)) {
        // Who shows nothing learns no name, but what a request has to look like (ESTS-23).
        const bool nobody = refused->why == Refusal::unauthenticated;
        if (nobody) attributes.why_not = refused->text;
        told.decision = nobody ? enrol::AttributesDecision{std::move(attributes)}
                               : enrol::AttributesDecision{std::move(*refused)};
        return told;
    }
    const auto& identity = std::get<Identity>(identified);
    told.device = identity.device;
    attributes.authenticated = true;
    attributes.device = identity.device.id;
    attributes.device_serial = identity.device.serial;
    attributes.manufacturer = identity.device.manufacturer;
    attributes.issued_here = identity.kind == Identity::Kind::issued;
    attributes.must_renew = identity.expired;
    ACMETOOL_TRY(names, names_of(records, identity, rules, Use::telling));
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
