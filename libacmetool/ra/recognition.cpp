#include "ra/recognition.h"

#include <algorithm>
#include <set>
#include <utility>

#include <fmt/core.h>

#include "base/text.h"
#include "enrol/device_label.h"

namespace acmetool::ra
{
namespace
{

using enrol::Ground;
using enrol::Refusal;
using enrol::Refused;

/// True if `other`, an identifier in the store, means the device. `chosen`: the inventory says whose it is.
bool is_same(const Device& device, const std::string& other, bool chosen)
{
    if (std::find(device.others.begin(), device.others.end(), other) != device.others.end()) return true;
    return !device.former.empty() && other == device.former &&
           (device.only_former || (chosen && issuer_in_former_id(other, device.serial)));
}

} // namespace

bool Recognition::may_write()
{
    has_to_write_ = has_to_write_ || use_ == Use::reading;
    return use_ == Use::writing;
}

Result<OrRefused<Identity>> Recognition::identify(const Claim& claim, const std::string& key_digest,
                                                  const std::string& label, base::TimePoint now)
{
    Identity identity;
    identity.certificate = claim.certificate;
    identity.certificate_digest = claim.certificate_digest;
    std::optional<Shown> shown;
    if (claim.certificate && options_.issued.ra_issued) {
        ACMETOOL_TRY(found, records_.shown(claim.certificate_digest));
        shown = std::move(found);
    }
    if (shown) {
        auto& issued = shown->certificate;
        // Behind a public CA a path to its root proves nothing: the store holds this very certificate.
        identity.kind = Identity::Kind::issued;
        identity.device = device_of(issued.device, shown->device_now);
        identity.names = dns_names(issued.identifiers);
        identity.subject = std::move(issued.subject);
        if (shown->is_revoked)
            return OrRefused<Identity>{refusal(Ground::revoked, "the certificate was revoked")};
        if (auto refused = judge_dates(*claim.certificate, options_.issued, now))
            return OrRefused<Identity>{std::move(*refused)};
        identity.expired = now >= issued.not_after;
        if (auto refused = judge_usage(*claim.certificate, options_.issued))
            return OrRefused<Identity>{std::move(*refused)};
        if (claim.revocation) return OrRefused<Identity>{*claim.revocation};
    } else if (claim.idevid) {
        identity.kind = Identity::Kind::idevid;
        identity.device = *claim.idevid;
    } else if (claim.private_ca) {
        ACMETOOL_TRY(found, identify_private(claim, std::move(identity)));
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
    ACMETOOL_TRY(refused, judge_known(identity, key_digest, label));
    if (!refused) return OrRefused<Identity>{std::move(identity)};
    refused->authenticated = true;
    return OrRefused<Identity>{std::move(*refused)};
}

/// The holder of a certificate that another relay obtained is the device that has its names here, or, if none
/// has, is known by them.
Result<OrRefused<Identity>> Recognition::identify_private(const Claim& claim, Identity identity)
{
    const auto& by_ca = *claim.private_ca;
    if (by_ca.refusal) return OrRefused<Identity>{*by_ca.refusal};
    if (auto refused = judge_private_names(by_ca, options_.domains))
        return OrRefused<Identity>{std::move(*refused)};
    if (auto refused = judge_usage(*claim.certificate, options_.issued))
        return OrRefused<Identity>{std::move(*refused)};
    ACMETOOL_TRY(revoked, records_.is_revoked(claim.certificate->serial()));
    if (revoked) return OrRefused<Identity>{refusal(Ground::revoked, "the certificate was revoked")};
    identity.kind = Identity::Kind::issued;
    identity.names = by_ca.names;
    std::set<std::string> owners;
    for (const auto& name : by_ca.names) {
        ACMETOOL_TRY(owner, records_.owner_of_name(name));
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
    ACMETOOL_TRY(device_now, records_.device_now(*owners.begin()));
    identity.device = device_of({*owners.begin(), parts ? parts->serial : ""}, device_now);
    return OrRefused<Identity>{std::move(identity)};
}

/// Whether a device whose identity holds may enrol.
Result<std::optional<Refused>> Recognition::judge_known(Identity& identity, const std::string& key_digest,
                                                        const std::string& label)
{
    const auto& device = identity.device;
    ACMETOOL_TRY(found, records_.objections(device, key_digest,
                                            files_.inventory_in_store ? Objections::With::inventory
                                                                      : Objections::With::nothing));
    identity.is_key_revoked = found.is_key_revoked;
    identity.listed =
        files_.inventory_in_store ? std::move(found.listed) : files_.inventory.listed(device.serial);
    identity.inventory = files_.inventory_in_store ? found.inventory : files_.inventory.size();
    if (found.block) return std::optional{refusal(Ground::blocked, "the device is blocked")};
    if (auto refused = judge_device(device, label, options_, identity.listed)) return refused;
    if (identity.kind != Identity::Kind::idevid) return std::optional<Refused>{};
    ACMETOOL_TRY(first, is_first(identity));
    if (first) return std::optional<Refused>{};
    return std::optional{
        refusal(Ground::other_manufacturer,
                fmt::format("serial number {} in the inventory is in use by a device of another manufacturer",
                            base::printable(device.serial, 200)))};
}

/// The device that a certificate was issued to, as it is known today.
Device Recognition::device_of(const Device& row, const std::optional<std::string>& now) const
{
    if (!now) return device_of_row(row, files_.manufacturers);
    auto device = device_of_row({*now, row.serial}, files_.manufacturers);
    device.former = row.id;
    device.only_former = true;
    return device;
}

/// An entry of the inventory that names no manufacturer is for one device: the first that comes.
Result<bool> Recognition::is_first(const Identity& identity)
{
    const auto* entry = identity.listed.find(identity.device);
    if (files_.manufacturers.size() < 2 || entry == nullptr || !entry->whose.empty()) return true;
    // No DNS name has a blank.
    return holds("inventory " + enrol::escape_serial(identity.device.serial), identity, "inventory");
}

/// True if the name is the device's, or was nobody's: it is bound now, unless the device is only told of it.
///
/// A name under an identifier that can mean only this device is the device's. So is one of a device with the
/// same serial number, if the inventory has only this device's manufacturer for it.
Result<bool> Recognition::holds(const std::string& name, const Identity& identity, const std::string& group,
                                Names purpose)
{
    const auto& device = identity.device;
    std::string owner;
    if (purpose == Names::told || use_ == Use::reading) {
        ACMETOOL_TRY(known, records_.owner_of_name(name));
        if (!known) return purpose == Names::told || may_write();
        owner = std::move(*known);
    } else {
        ACMETOOL_TRY(bound, records_.bind_name(name, device.id, group));
        owner = std::move(bound);
    }
    if (owner == device.id) return true;
    const bool chosen = identity.listed.names_only(device);
    if (is_same(device, owner, chosen)) {
        if (may_write()) ACMETOOL_CHECK(records_.adopt(owner, device.id));
        return true;
    }
    const auto parts = enrol::parse_qualified_serial(owner);
    const bool same_serial = parts && enrol::is_anchor_digest(parts->whose) && parts->serial == device.serial;
    if (!chosen || !(same_serial || issuer_in_former_id(owner, device.serial))) return false;
    if (may_write()) ACMETOOL_CHECK(records_.give_name(name, device.id));
    return true;
}

Result<OrRefused<std::vector<std::string>>> Recognition::names_of(const Identity& identity,
                                                                  const LabelRules& rules, Names purpose)
{
    using Found = OrRefused<std::vector<std::string>>;
    if (identity.kind != Identity::Kind::idevid) {
        if (identity.names.empty())
            return Found{refusal(Ground::user_without_names, "this user has no allowed name")};
        return Found{identity.names};
    }
    const auto& domain = rules.domain.name;
    const auto& device = identity.device;
    // Random names are looked up by device: those that come from the serial number do not count among them.
    const auto group = rules.options.san == "random" ? "random " + domain : domain;
    std::vector<std::string> names;
    if (rules.options.san == "table") {
        names = table_names(identity.listed, device, domain);
        if (names.empty())
            return Found{refusal(Ground::device_without_names, "the inventory has no name for the device")};
    } else if (rules.options.san == "random") {
        ACMETOOL_TRY(known, random_name(identity, group));
        if (!known && purpose == Names::enrolled)
            return Found{refusal(Ground::no_name_yet, "the device has no name yet: request csrattrs first")};
        names.push_back(known ? *known : enrol::random_label() + "." + domain);
        purpose = Names::enrolled; // a name that was told stays
    } else {
        names.push_back(enrol::device_label(device.serial) + "." + domain);
    }
    for (const auto& name : names) {
        ACMETOOL_TRY(held, holds(name, identity, group, purpose));
        if (!held)
            return Found{refusal(Ground::name_taken, fmt::format("{} is the name of another device", name))};
    }
    return Found{std::move(names)};
}

/// The random name of the device, under any of its identifiers.
Result<std::optional<std::string>> Recognition::random_name(const Identity& identity,
                                                            const std::string& group)
{
    const auto& device = identity.device;
    ACMETOOL_TRY(known, records_.name_of_device(device.id, group));
    if (known) return known;
    auto others = device.others;
    others.push_back(device.former);
    for (const auto& other : others) {
        if (!is_same(device, other, identity.listed.names_only(device))) continue;
        ACMETOOL_TRY(found, records_.name_of_device(other, group));
        if (!found) continue;
        if (may_write()) ACMETOOL_CHECK(records_.adopt(other, device.id));
        return found;
    }
    return std::optional<std::string>{};
}

Result<Device> Recognition::claimed_device(const Claim& claim)
{
    if (claim.idevid) return *claim.idevid;
    if (claim.certificate_digest.empty()) return Device{};
    ACMETOOL_TRY(shown, records_.shown(claim.certificate_digest));
    return shown ? device_of(shown->certificate.device, shown->device_now) : Device{};
}

Result<enrol::AttributesDecision> Recognition::attributes(const Claim& claim, const LabelRules& rules,
                                                          const std::string& label, base::TimePoint now)
{
    using Told = enrol::AttributesDecision;
    enrol::CsrAttributes attributes;
    attributes.key_type = rules.options.key_type;
    attributes.channel_binding = options_.pop == Pop::required;
    ACMETOOL_TRY(identified, identify(claim, {}, label, now));
    if (auto* refused = std::get_if<Refused>(&identified)) {
        // Who shows nothing learns no name, but what a request has to look like (ESTS-23).
        if (refused->why != Refusal::unauthenticated) return Told{std::move(*refused)};
        attributes.why_not = refused->text;
        return Told{std::move(attributes)};
    }
    const auto& identity = std::get<Identity>(identified);
    attributes.authenticated = true;
    attributes.device = identity.device.id;
    attributes.device_serial = identity.device.serial;
    attributes.manufacturer = identity.device.manufacturer;
    attributes.issued_here = identity.kind == Identity::Kind::issued;
    attributes.must_renew = identity.expired;
    ACMETOOL_TRY(names, names_of(identity, rules, Names::told));
    if (auto* refused = std::get_if<Refused>(&names)) {
        refused->authenticated = true;
        return Told{std::move(*refused)};
    }
    for (const auto& name : std::get<std::vector<std::string>>(names))
        attributes.identifiers.push_back({"dns", name});
    return Told{std::move(attributes)};
}

} // namespace acmetool::ra
