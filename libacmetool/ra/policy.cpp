#include "ra/policy.h"

#include <algorithm>

#include <fmt/core.h>

#include "base/text.h"
#include "crypto/csr_remake.h"
#include "crypto/digest.h"
#include "crypto/key_type.h"
#include "crypto/path.h"
#include "dns/name.h"
#include "store/configured.h"

namespace acmetool::ra
{
namespace
{

using enrol::Refusal;
using enrol::Refused;

constexpr std::size_t kMostNames = 100;
constexpr std::chrono::seconds kPasswordRetry{10};

bool is_controlled(const std::string& name, const std::vector<DomainOptions>& domains)
{
    return std::any_of(domains.begin(), domains.end(), [&](const DomainOptions& domain) {
        return dns::same_name(name, domain.name) || dns::is_subdomain_of(name, domain.name);
    });
}

std::optional<Refused> judge_key(const crypto::Key& key, const LabelOptions& label)
{
    const auto type = key.type();
    if (!label.key_type.empty() && type != label.key_type)
        return refusal(Refusal::unsupported_algorithm,
                       fmt::format("the key is {}, but the policy requires {}", type, label.key_type));
    const bool weak =
        type == "other" || (type.starts_with("rsa:") && std::stoi(type.substr(4)) < crypto::kLeastRsaBits);
    if (weak)
        return refusal(Refusal::unsupported_algorithm,
                       fmt::format("a key of type {} is not allowed: use at least {} or rsa:{}", type,
                                   crypto::kDefaultKeyType, crypto::kLeastRsaBits));
    return std::nullopt;
}

std::optional<Refused> judge_names(const crypto::Csr& csr, const std::vector<DomainOptions>& domains)
{
    if (!csr.other_names.empty())
        return refusal(Refusal::bad_request,
                       fmt::format("the request contains {}: only DNS names are allowed",
                                   base::printable(csr.other_names.front(), 200)));
    if (csr.identifiers.empty())
        return refusal(Refusal::bad_request, "the request has no subject alternative name");
    if (csr.identifiers.size() > kMostNames)
        return refusal(Refusal::bad_request, fmt::format("more than {} names", kMostNames));
    for (const auto& identifier : csr.identifiers) {
        if (identifier.type != "dns")
            return refusal(Refusal::bad_request,
                           fmt::format("the request contains the address {}: only DNS names are allowed",
                                       identifier.value));
        const auto name = dns::normalize_name(identifier.value);
        if (!name || *name != identifier.value)
            return refusal(Refusal::bad_identity, fmt::format("{} is not a name that can be certified",
                                                              base::printable(identifier.value, 260)));
        if (!is_controlled(identifier.value, domains))
            return refusal(
                Refusal::bad_identity,
                fmt::format("{} is not in a domain of this registration authority", identifier.value));
    }
    if (const auto named = crypto::require_identifiers(csr); !named)
        return refusal(Refusal::bad_request, named.error().message);
    return std::nullopt;
}

template <class T, class Parse>
Result<T> read_list(const std::string& path, Parse parse)
{
    if (path.empty()) return T{};
    ACMETOOL_TRY(text, store::read_configured(path));
    return parse(text, path);
}

Result<crypto::AnchorStore> read_anchors(const std::vector<std::string>& paths)
{
    std::vector<crypto::Certificate> anchors;
    for (const auto& path : paths) {
        ACMETOOL_TRY(found, store::read_configured_certificates(path));
        anchors.insert(anchors.end(), found.begin(), found.end());
    }
    return crypto::AnchorStore{std::move(anchors)};
}

/// The serial number of a device with a verified path, from the field that its manufacturer uses.
Result<std::string> serial_of(const std::vector<crypto::Certificate>& chain, const Files& files,
                              base::TimePoint now)
{
    for (const auto& [anchors, fields] : files.serial_rules)
        if (anchors.verify(chain, crypto::PathPolicy::idevid(now)))
            return enrol::device_serial(chain.front(), fields);
    return enrol::device_serial(chain.front());
}

} // namespace

Refused refusal(Refusal why, std::string text)
{
    return {why, std::move(text), std::nullopt, false};
}

Result<Files> Files::read(const Options& options)
{
    Files files;
    ACMETOOL_TRY(anchors, read_anchors(options.idevid.trust));
    files.manufacturers = std::move(anchors);
    for (const auto& rule : options.idevid.serial_rules) {
        ACMETOOL_TRY(known, read_anchors(rule.trust));
        files.serial_rules.emplace_back(std::move(known), rule.fields);
    }
    ACMETOOL_TRY(inventory, read_list<Inventory>(options.idevid.inventory, parse_inventory));
    ACMETOOL_TRY(users, read_list<Users>(options.users_file, parse_users));
    files.inventory = std::move(inventory);
    files.users = std::move(users);
    return files;
}

std::string device_id(const std::string& serial, const crypto::Certificate& certificate)
{
    return base::printable(serial, 200) + "@" + base::printable(certificate.issuer(), 500);
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

Claim examine(const enrol::Peer& peer, const Files& files, std::optional<PasswordCheck::Verdict> password,
              base::TimePoint now)
{
    Claim claim;
    if (password == PasswordCheck::Verdict::too_many) {
        claim.refused = refusal(Refusal::too_many, "too many passwords to check");
        claim.refused->retry_after = kPasswordRetry;
        return claim;
    }
    const auto user = files.users.find(peer.user);
    if (password && (password == PasswordCheck::Verdict::wrong || user == files.users.end())) {
        claim.refused = refusal(Refusal::unauthenticated, "wrong user name or password");
        return claim;
    }
    if (password) {
        claim.user = peer.user;
        claim.user_names = user->second.names;
    }
    if (peer.certificates.empty()) return claim;
    claim.certificate = peer.certificates.front();
    claim.certificate_digest = to_hex(claim.certificate->sha256());
    if (files.manufacturers.empty()) {
        claim.why_not = "no manufacturer is trusted";
    } else if (const auto path =
                   files.manufacturers.verify(peer.certificates, crypto::PathPolicy::idevid(now));
               !path) {
        claim.why_not = path.error().message;
    } else if (const auto serial = serial_of(peer.certificates, files, now); !serial) {
        claim.why_not = serial.error().message;
    } else {
        claim.idevid = Device{device_id(*serial, *claim.certificate), *serial};
    }
    return claim;
}

bool is_renewal(const enrol::EnrolRequest& request, const Identity& identity)
{
    return request.may_renew && identity.kind == Identity::Kind::issued &&
           crypto::asks_for_same_names(request.csr, *identity.certificate);
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

std::optional<Refused> judge_binding(const enrol::EnrolRequest& request, const Options& options)
{
    if (options.pop == Pop::off) return std::nullopt;
    // RFC 7030 section 3.5: "If the EST server ... verification ... fails, the server MUST reject".
    if (request.binding == enrol::Binding::differs)
        return refusal(Refusal::pop_failed,
                       "the challengePassword is not the channel binding of this connection");
    if (request.binding == enrol::Binding::absent && options.pop == Pop::required)
        return refusal(Refusal::pop_failed,
                       "the request must contain this connection's channel binding in its "
                       "challengePassword (RFC 7030 section 3.5)");
    return std::nullopt;
}

bool is_known(const Device& device, const std::string& label, const Options& options, const Files& files)
{
    if (device.serial.empty()) return true;
    const auto found = files.inventory.find(device.serial);
    if (found == files.inventory.end()) return options.idevid.accept_any;
    return found->second.label.empty() || found->second.label == label;
}

std::vector<std::string> table_names(const Files& files, const std::string& serial, const std::string& domain)
{
    std::vector<std::string> names;
    if (const auto found = files.inventory.find(serial); found != files.inventory.end())
        for (const auto& name : found->second.names)
            names.push_back(name.find('.') == std::string::npos ? fmt::format("{}.{}", name, domain) : name);
    return names;
}

std::string order_id(const std::string& info, const std::string& renewed, const std::string& label,
                     const Device& device)
{
    // The digest of the certificate presented: its next renewal, with the same CSR, is another order.
    const auto parts = fmt::format("{}\n{}\n{}:{}\n{}", info, renewed, label.size(), label, device.id);
    return to_hex(crypto::sha256(as_bytes(parts)));
}

bool is_registration_authority(const crypto::Certificate& certificate)
{
    return crypto::has_extended_key_usage(certificate, crypto::kCmcRaPurpose);
}

} // namespace acmetool::ra
