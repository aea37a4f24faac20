#include "ra/policy.h"

#include <algorithm>
#include <map>
#include <utility>

#include <fmt/core.h>

#include "base/text.h"
#include "crypto/digest.h"
#include "crypto/key_type.h"
#include "crypto/path.h"
#include "dns/name.h"
#include "store/configured.h"

namespace acmetool::ra
{
namespace
{

using enrol::Ground;
using enrol::Refused;

constexpr std::size_t kMostNames = 100;
constexpr std::chrono::seconds kPasswordRetry{10};
constexpr std::chrono::seconds kCrlRetry{300};

bool is_controlled(const std::string& name, const std::vector<DomainOptions>& domains)
{
    return std::any_of(domains.begin(), domains.end(), [&](const DomainOptions& domain) {
        return dns::same_name(name, domain.name) || dns::is_subdomain_of(name, domain.name);
    });
}

std::optional<Refused> judge_key(const crypto::Key& key, const LabelOptions& label)
{
    if (key.has_explicit_curve())
        return refusal(
            Ground::explicit_curve,
            "the key has explicit curve parameters instead of a curve's name (RFC 5480 section 2.1.1)");
    const auto type = key.type();
    if (!label.key_type.empty() && type != label.key_type)
        return refusal(Ground::other_key_type, fmt::format("the key is {}, but the policy requires {}",
                                                           crypto::name_of_key(key), label.key_type));
    const bool weak =
        type == "other" || (type.starts_with("rsa:") && std::stoi(type.substr(4)) < crypto::kLeastRsaBits);
    if (weak)
        return refusal(Ground::weak_key,
                       fmt::format("a key of type {} is not allowed: use at least {} or rsa:{}",
                                   crypto::name_of_key(key), crypto::kDefaultKeyType, crypto::kLeastRsaBits));
    return std::nullopt;
}

std::optional<Refused> judge_names(const crypto::Csr& csr, const std::vector<DomainOptions>& domains)
{
    if (!csr.other_names.empty())
        return refusal(Ground::not_a_dns_name,
                       fmt::format("the request contains {}: only DNS names are allowed",
                                   base::printable(csr.other_names.front(), 200)));
    if (csr.identifiers.empty())
        return refusal(Ground::no_names, "the request has no subject alternative name");
    if (csr.identifiers.size() > kMostNames)
        return refusal(Ground::too_many_names, fmt::format("more than {} names", kMostNames));
    for (const auto& identifier : csr.identifiers) {
        if (identifier.type != "dns")
            return refusal(Ground::not_a_dns_name,
                           fmt::format("the request contains the address {}: only DNS names are allowed",
                                       identifier.value));
        const auto name = dns::normalize_name(identifier.value);
        if (!name || *name != identifier.value)
            return refusal(Ground::not_certifiable, fmt::format("{} is not a name that can be certified",
                                                                base::printable(identifier.value, 260)));
        if (!is_controlled(identifier.value, domains))
            return refusal(
                Ground::foreign_domain,
                fmt::format("{} is not in a domain of this registration authority", identifier.value));
    }
    if (const auto named = crypto::require_identifiers(csr); !named)
        return refusal(Ground::name_not_in_san, named.error().message);
    return std::nullopt;
}

template <class T, class Parse>
Result<T> read_list(const std::string& path, Parse parse, bool& is_cut)
{
    if (path.empty()) return T{};
    ACMETOOL_TRY(text, store::read_configured(path));
    is_cut = !text.empty() && !text.ends_with('\n');
    return parse(text, path);
}

/// One kind of list, for messages.
struct ListName {
    std::string_view what;    ///< "inventory"
    std::string_view entries; ///< "devices"
    std::string_view section; ///< of relay.toml
};
constexpr ListName kInventoryList{"inventory", "devices", "[clients.idevid]"};
constexpr ListName kUserList{"users", "users", "[clients.basic]"};
constexpr ListName kDigestUserList{"users", "users", "[clients.digest]"};

template <class List>
Result<void> check_list(const ListName& name, const std::string& path, const List& old, const List& fresh,
                        bool is_cut, bool may_be_empty)
{
    if (path.empty()) return {}; // the operator took the list itself out
    if (fresh.empty() && !old.empty() && !may_be_empty)
        return fail(
            Errc::config,
            fmt::format("{} {}: lists none, but {} {} are in use", name.what, path, old.size(), name.entries),
            fmt::format("restore the file; if that is intended, set allow_empty = true in {} or restart",
                        name.section),
            "fileCut");
    if (!is_cut) return {};
    const auto lost = std::count_if(old.begin(), old.end(), [&](const auto& entry) {
        const auto same = fresh.find(entry.first);
        return same == fresh.end() || !(same->second == entry.second);
    });
    if (lost == 0) return {}; // entries were added by hand
    return fail(
        Errc::config,
        fmt::format("{} {}: the last line has no newline, and {} of {} {} are missing or changed: the "
                    "file may be cut",
                    name.what, path, lost, old.size(), name.entries),
        "if it is complete, end its last line with a newline", "fileCut");
}

template <class List>
void warn_of(std::vector<std::string>& warnings, const ListName& name, const std::string& path,
             const List& list, bool is_cut)
{
    if (path.empty()) return;
    if (list.empty()) warnings.push_back(fmt::format("{} {}: lists no {}", name.what, path, name.entries));
    if (is_cut)
        warnings.push_back(
            fmt::format("{} {}: the last line has no newline: the file may be cut", name.what, path));
}

Result<enrol::Manufacturer> read_manufacturer(const ManufacturerCas& from)
{
    enrol::Manufacturer manufacturer{from.name, {}, from.serial_from, from.grace};
    for (const auto& path : from.trust) {
        ACMETOOL_TRY(found, store::read_configured_certificates(path));
        manufacturer.anchors.insert(manufacturer.anchors.end(), found.begin(), found.end());
    }
    return manufacturer;
}

} // namespace

Refused refusal(Ground ground, std::string text)
{
    return {enrol::refusal_on(ground), std::move(text), std::nullopt, false, ground};
}

namespace
{

/// Two names for one CA would leave it open whose a rule or a block is.
Result<void> check_names(const std::vector<enrol::Manufacturer>& trusted,
                         const std::vector<enrol::Manufacturer>& described)
{
    std::map<std::string, std::string> names;
    for (const auto* list : {&trusted, &described})
        for (const auto& one : *list)
            for (const auto& anchor : one.anchors) {
                if (one.name.empty()) continue;
                const auto known =
                    names.try_emplace(to_hex(anchor.public_key().spki_sha256()), one.name).first->second;
                if (known == one.name) continue;
                return fail(Errc::config,
                            fmt::format("{} is a CA of two manufacturers, {} and {}",
                                        base::printable(anchor.subject(), 200), base::printable(known, 100),
                                        base::printable(one.name, 100)),
                            "give it one name in [clients.idevid.NAME] and [[manufacturer]]",
                            "manufacturerName");
            }
    return {};
}

} // namespace

Result<enrol::Manufacturers> read_manufacturers(const IdevidOptions& options)
{
    std::vector<enrol::Manufacturer> trusted;
    std::vector<enrol::Manufacturer> described;
    ACMETOOL_TRY(unnamed, read_manufacturer({{}, options.trust, {}}));
    trusted.push_back(std::move(unnamed));
    for (const auto& one : options.manufacturers) {
        ACMETOOL_TRY(read, read_manufacturer(one));
        (one.trusted ? trusted : described).push_back(std::move(read));
    }
    ACMETOOL_CHECK(check_names(trusted, described));
    return enrol::Manufacturers{trusted, described};
}

Result<Files> Files::read(const Options& options, std::shared_ptr<const crypto::FetchedCrls> fetched)
{
    Files files;
    ACMETOOL_TRY(manufacturers, read_manufacturers(options.idevid));
    files.manufacturers = std::move(manufacturers);
    ACMETOOL_TRY(manufacturer_crls, store::read_crl_sources(options.idevid.crl, fetched));
    files.manufacturer_crls = std::move(manufacturer_crls);
    ACMETOOL_TRY(issued_crls, store::read_crl_sources(options.issued.crl, std::move(fetched)));
    files.issued_crls = std::move(issued_crls);
    ACMETOOL_TRY(private_cas, read_manufacturer({{}, options.issued.trust, {}}));
    files.private_cas = crypto::AnchorStore{std::move(private_cas.anchors)};
    const auto parse = [&](std::string_view text, std::string_view what) {
        return parse_inventory(text, what, files.manufacturers);
    };
    ACMETOOL_TRY(inventory, read_list<Inventory>(options.idevid.inventory, parse, files.inventory_is_cut));
    ACMETOOL_TRY(users, read_list<Users>(options.users_file, parse_users, files.users_are_cut));
    const auto parse_digest = [&](std::string_view text, std::string_view what) {
        return parse_digest_users(text, what, options.digest_realm);
    };
    ACMETOOL_TRY(digest_users,
                 read_list<DigestUsers>(options.digest_users_file, parse_digest, files.digest_users_are_cut));
    files.digest_users = std::move(digest_users);
    files.inventory = std::move(inventory);
    files.inventory_in_store = options.idevid.inventory_in_store;
    files.users = std::move(users);
    return files;
}

Result<void> check_replacement(const Files& old, const Files& fresh, const Options& options)
{
    ACMETOOL_CHECK(check_list(kInventoryList, options.idevid.inventory, old.inventory.entries(),
                              fresh.inventory.entries(), fresh.inventory_is_cut, options.idevid.allow_empty));
    ACMETOOL_CHECK(check_list(kUserList, options.users_file, old.users, fresh.users, fresh.users_are_cut,
                              options.allow_no_users));
    return check_list(kDigestUserList, options.digest_users_file, old.digest_users, fresh.digest_users,
                      fresh.digest_users_are_cut, options.allow_no_digest_users);
}

std::vector<std::string> warnings_of(const Files& files, const Options& options)
{
    std::vector<std::string> warnings;
    warn_of(warnings, kInventoryList, options.idevid.inventory, files.inventory.entries(),
            files.inventory_is_cut);
    warn_of(warnings, kUserList, options.users_file, files.users, files.users_are_cut);
    warn_of(warnings, kDigestUserList, options.digest_users_file, files.digest_users,
            files.digest_users_are_cut);
    return warnings;
}

Device device_of(const enrol::Identity& identity, const enrol::Manufacturers& manufacturers)
{
    Device device{identity.id(), identity.serial, identity.anchor, identity.manufacturer};
    device.former = former_id(identity.serial, identity.issuer);
    const auto issuer = issuer_in_former_id(device.former, identity.serial);
    device.only_former = issuer && manufacturers.anchor_of_issuer(*issuer) == identity.anchor;
    for (const auto& key : identity.authorities)
        if (key != identity.anchor) device.others.push_back(enrol::device_id(identity.serial, key));
    return device;
}

Device device_of_row(Device row, const enrol::Manufacturers& manufacturers)
{
    if (row.serial.empty()) return row;
    const auto parts = enrol::parse_qualified_serial(row.id);
    if (parts && enrol::is_anchor_digest(parts->whose)) {
        row.anchor = parts->whose;
    } else if (const auto issuer = issuer_in_former_id(row.id, row.serial)) {
        const auto anchor = manufacturers.anchor_of_issuer(*issuer);
        if (!anchor) return row;
        row.anchor = *anchor;
        row.former = std::exchange(row.id, enrol::device_id(row.serial, *anchor));
        row.only_former = true;
    }
    row.manufacturer = manufacturers.name_of(row.anchor);
    return row;
}

std::string describe(const std::vector<crypto::Identifier>& identifiers)
{
    std::string text;
    for (const auto& identifier : identifiers)
        text += (text.empty() ? "" : ", ") + identifier.value;
    return text;
}

std::string Claim::shown() const
{
    if (certificate) return base::printable(certificate->subject());
    return user.empty() ? "nobody" : "user:" + user;
}

namespace
{

/// What the file of the scheme by which the peer logs in allows its user; null: an unknown user.
const std::vector<std::string>* names_of_user(const enrol::Peer& peer, const Files& files)
{
    const auto names_in = [&](const auto& users) -> const std::vector<std::string>* {
        const auto found = users.find(peer.user);
        return found == users.end() ? nullptr : &found->second.names;
    };
    return peer.digest ? names_in(files.digest_users) : names_in(files.users);
}

/// Why a path, or what was made of it, does not hold.
Ground ground_of(const Error& error, const std::vector<crypto::Certificate>& chain, base::TimePoint now)
{
    if (error.reason == Cause::revoked) return Ground::revoked_by_crl;
    const bool in_time = std::all_of(chain.begin(), chain.end(),
                                     [&](const auto& one) { return crypto::time_fault(one, now).empty(); });
    return in_time ? Ground::invalid_certificate : Ground::out_of_dates;
}

std::optional<PrivateClaim> claim_by(const crypto::AnchorStore& cas,
                                     const std::shared_ptr<const crypto::CrlSet>& crls,
                                     const std::vector<crypto::Certificate>& chain, base::TimePoint now)
{
    if (cas.empty() || !cas.is_above(chain)) return std::nullopt;
    PrivateClaim claim;
    if (const auto path = cas.verify(chain, crypto::PathPolicy::issued(now, crls)); !path) {
        const auto& error = path.error();
        claim.refusal = error.code == Errc::temporary ? undetermined(error.message)
                                                      : refusal(ground_of(error, chain, now), error.message);
    }
    for (const auto& identifier : chain.front().identifiers())
        claim.names.push_back(identifier.type == "dns" ? identifier.value : std::string{});
    return claim;
}

} // namespace

Claim examine(const enrol::Peer& peer, const Files& files, std::optional<PasswordCheck::Verdict> password,
              base::TimePoint now)
{
    Claim claim;
    if (password == PasswordCheck::Verdict::too_many) {
        claim.refused = refusal(Ground::too_many_passwords, "too many passwords to check");
        claim.refused->retry_after = kPasswordRetry;
        return claim;
    }
    if (password == PasswordCheck::Verdict::used) {
        claim.refused = refusal(Ground::login_used, "the login was used before");
        return claim;
    }
    const auto* const names = names_of_user(peer, files);
    if (password && (password == PasswordCheck::Verdict::wrong || names == nullptr)) {
        claim.refused = refusal(Ground::wrong_password, "wrong user name or password");
        return claim;
    }
    if (password) {
        claim.user = peer.user;
        claim.user_names = *names;
    }
    if (peer.certificates.empty()) return claim;
    claim.certificate = peer.certificates.front();
    const auto unknown = [&](std::string_view why) {
        // The store forgets what has expired.
        const auto time = crypto::time_fault(*claim.certificate, now);
        claim.ground = time.empty() ? Ground::unknown_issuer : Ground::out_of_dates;
        return fmt::format(
            "the certificate was issued neither by a known manufacturer nor by this relay ({}{}{})", why,
            time.empty() ? "" : "; ", time);
    };
    if (claim.certificate->public_key().has_explicit_curve()) {
        // No digest: it is not looked up among the certificates issued here either.
        claim.why_not = unknown("its key has explicit curve parameters");
        return claim;
    }
    claim.certificate_digest = to_hex(claim.certificate->sha256());
    claim.private_ca = claim_by(files.private_cas, files.issued_crls, peer.certificates, now);
    const auto invalid = [](std::string_view why) {
        return fmt::format("the manufacturer's certificate of this device is not valid: {}", why);
    };
    if (files.manufacturers.empty()) {
        claim.why_not = unknown("no manufacturer is trusted");
    } else if (const auto identity =
                   files.manufacturers.identify(peer.certificates, now, files.manufacturer_crls);
               !identity) {
        claim.undetermined = identity.error().code == Errc::temporary;
        if (files.manufacturers.is_above(peer.certificates)) {
            claim.why_not = invalid(identity.error().message);
            claim.ground = ground_of(identity.error(), peer.certificates, now);
        } else {
            claim.why_not = unknown(identity.error().message);
        }
    } else {
        claim.idevid = device_of(*identity, files.manufacturers);
    }
    return claim;
}

Refused undetermined(std::string text)
{
    auto refused = refusal(Ground::revocation_unknown, std::move(text));
    refused.retry_after = kCrlRetry;
    return refused;
}

std::optional<Refused> judge_revocation(const crypto::Certificate& certificate,
                                        const std::vector<crypto::Certificate>& cas,
                                        const std::shared_ptr<const crypto::CrlSet>& crls,
                                        base::TimePoint now, std::chrono::seconds grace)
{
    const crypto::AnchorStore issuers{cas};
    auto policy = crypto::PathPolicy::issued(now);
    policy.grace = grace;
    // The store vouches for the certificate: where its issuer is not known, only its status is unknown.
    if (const auto path = issuers.verify({certificate}, policy); !path) {
        if (crls->stale() == crypto::StaleCrl::accept) return std::nullopt;
        return undetermined("revocation cannot be checked: " + path.error().message);
    }
    policy.crls = crls;
    const auto path = issuers.verify({certificate}, policy);
    if (path) return std::nullopt;
    if (path.error().code == Errc::temporary) return undetermined(path.error().message);
    return refusal(ground_of(path.error(), {certificate}, now), path.error().message);
}

std::optional<Refused> judge_private_names(const PrivateClaim& claim,
                                           const std::vector<DomainOptions>& domains)
{
    const bool ours = !claim.names.empty() &&
                      std::all_of(claim.names.begin(), claim.names.end(), [&](const std::string& name) {
                          return !name.starts_with('*') && is_controlled(name, domains);
                      });
    if (ours) return std::nullopt;
    return refusal(
        Ground::not_a_device,
        "the certificate is of a private CA that is trusted, but not for a name of a device: all its "
        "names must be DNS names of hosts in the domains of this relay");
}

std::optional<Refused> judge_dates(const crypto::Certificate& certificate, const IssuedOptions& options,
                                   base::TimePoint now)
{
    if (certificate.not_before() <= now && now - options.grace < certificate.not_after()) return std::nullopt;
    return refusal(Ground::out_of_dates,
                   fmt::format("the certificate cannot be used: {}", crypto::time_fault(certificate, now)));
}

std::optional<Refused> judge_usage(const crypto::Certificate& certificate, const IssuedOptions& options)
{
    const auto good = crypto::check_purpose(
        certificate, options.eku == "clientAuth" ? crypto::Purpose::identity : crypto::Purpose::signer);
    if (good) return std::nullopt;
    return refusal(Ground::not_for_clients,
                   fmt::format("the certificate is not for clients: {}", good.error().message));
}

bool is_renewal(const enrol::EnrolRequest& request, const Identity& identity, bool same_subject)
{
    return request.may_renew && identity.kind == Identity::Kind::issued && same_subject &&
           request.csr.other_names.empty() && request.csr.identifiers == identity.certificate->identifiers();
}

std::optional<LabelRules> rules_of(const Options& options, const std::string& label)
{
    LabelRules rules;
    if (const auto found = options.labels.find(label); found != options.labels.end())
        rules.options = found->second;
    else if (!label.empty())
        return std::nullopt;
    const auto& wanted = rules.options.domain;
    for (const auto& domain : options.domains)
        if (wanted.empty() || dns::same_name(domain.name, wanted)) {
            rules.domain = domain;
            return rules;
        }
    return std::nullopt;
}

std::optional<Refused> judge_csr(const enrol::EnrolRequest& request, const Options& options,
                                 const LabelRules& rules)
{
    if (auto refused = judge_names(request.csr, options.domains)) return refused;
    return judge_key(request.csr.key, rules.options);
}

namespace
{

/// Which binding the connection has: devices that know tls-unique alone negotiate TLS 1.3 all the same.
std::string words_on_binding(std::string_view type)
{
    if (type == "tls-exporter")
        return "; over TLS 1.3 that is tls-exporter (RFC 9266), and tls-unique needs TLS 1.2";
    if (type == "tls-unique") return "; over TLS 1.2 that is tls-unique (RFC 5929)";
    return "; this connection has none";
}

} // namespace

std::optional<Refused> judge_binding(const enrol::EnrolRequest& request, const Options& options)
{
    if (options.pop == Pop::off) return std::nullopt;
    // RFC 7030 section 3.5: "If the EST server ... verification ... fails, the server MUST reject".
    if (request.binding == enrol::Binding::differs)
        return refusal(Ground::other_binding,
                       "the challengePassword is not the channel binding of this connection" +
                           words_on_binding(request.binding_type));
    if (request.binding == enrol::Binding::absent && options.pop == Pop::required)
        return refusal(Ground::no_binding,
                       "the request must contain this connection's channel binding in its "
                       "challengePassword (RFC 7030 section 3.5)" +
                           words_on_binding(request.binding_type));
    return std::nullopt;
}

std::optional<Refused> judge_device(const Device& device, const std::string& label, const Options& options,
                                    const Listed& listed)
{
    if (device.serial.empty()) return std::nullopt;
    const auto shown = base::printable(device.serial, 200);
    auto ground = Ground::not_in_inventory;
    if (const auto* entry = listed.find(device)) {
        if (entry->label.empty() || entry->label == label) return std::nullopt;
        ground = Ground::other_label;
    } else if (listed.any()) {
        return refusal(Ground::other_manufacturer,
                       fmt::format("the inventory has serial number {} of another manufacturer", shown));
    } else if (options.idevid.accept_any) {
        return std::nullopt;
    }
    return refusal(ground, fmt::format("device {} is not in the inventory for this label", shown));
}

std::vector<std::string> dns_names(const std::vector<crypto::Identifier>& identifiers)
{
    std::vector<std::string> names;
    for (const auto& identifier : identifiers)
        if (identifier.type == "dns") names.push_back(identifier.value);
    return names;
}

std::vector<std::string> table_names(const Listed& listed, const Device& device, const std::string& domain)
{
    std::vector<std::string> names;
    if (const auto* entry = listed.find(device))
        for (const auto& name : entry->names)
            names.push_back(name.find('.') == std::string::npos ? fmt::format("{}.{}", name, domain) : name);
    return names;
}

std::string order_id(const std::string& info, const std::string& renewed, const std::string& label,
                     const std::string& device)
{
    // The digest of the certificate presented: its next renewal, with the same CSR, is another order.
    const auto parts = fmt::format("{}\n{}\n{}:{}\n{}", info, renewed, label.size(), label, device);
    return to_hex(crypto::sha256(as_bytes(parts)));
}

bool is_registration_authority(const crypto::Certificate& certificate)
{
    return crypto::has_extended_key_usage(certificate, crypto::kCmcRaPurpose);
}

} // namespace acmetool::ra
