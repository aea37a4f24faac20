#include "enrol/identity.h"

#include <algorithm>
#include <iterator>

#include <fmt/core.h>

#include "crypto/path.h"

namespace acmetool::enrol
{
namespace
{

constexpr std::size_t kDigestDigits = 64;

bool stays(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view{"-._~/+="}.find(c) != std::string_view::npos;
}

int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

std::string key_of(const crypto::Certificate& certificate)
{
    return to_hex(certificate.public_key().spki_sha256());
}

std::vector<crypto::Certificate> anchors_of(const std::vector<Manufacturer>& manufacturers)
{
    std::vector<crypto::Certificate> anchors;
    for (const auto& one : manufacturers)
        anchors.insert(anchors.end(), one.anchors.begin(), one.anchors.end());
    return anchors;
}

} // namespace

std::string Identity::id() const
{
    return device_id(serial, anchor);
}

std::string device_id(std::string_view serial, std::string_view anchor)
{
    return fmt::format("{}@{}", escape_serial(serial), anchor);
}

std::string escape_serial(std::string_view serial)
{
    std::string text;
    for (const char c : serial)
        if (stays(c))
            text += c;
        else
            text += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    return text;
}

std::optional<std::string> unescape_serial(std::string_view text)
{
    std::string serial;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            serial += text[i];
            continue;
        }
        const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
        const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
        if (high < 0 || low < 0) return std::nullopt;
        serial += static_cast<char>(high << 4 | low);
        i += 2;
    }
    return serial;
}

std::optional<QualifiedSerial> parse_qualified_serial(std::string_view text)
{
    const auto at = text.rfind('@');
    if (at == std::string_view::npos || at == 0 || at + 1 == text.size()) return std::nullopt;
    auto serial = unescape_serial(text.substr(0, at));
    if (!serial) return std::nullopt;
    return QualifiedSerial{std::move(*serial), std::string{text.substr(at + 1)}};
}

bool is_anchor_digest(std::string_view text)
{
    return text.size() == kDigestDigits &&
           text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

Manufacturers::Manufacturers(const std::vector<Manufacturer>& trusted,
                             const std::vector<Manufacturer>& described)
{
    auto anchors = anchors_of(trusted);
    for (const auto* list : {&described, &trusted})
        for (const auto& one : *list)
            for (const auto& anchor : one.anchors) {
                auto& description = descriptions_[key_of(anchor)];
                if (description.name.empty()) description.name = one.name;
                if (description.fields.empty()) description.fields = one.fields;
                if (description.grace.count() == 0) description.grace = one.grace;
                longest_grace_ = std::max(longest_grace_, one.grace);
            }
    auto known = anchors;
    const auto more = anchors_of(described);
    known.insert(known.end(), more.begin(), more.end());
    for (const auto& anchor : anchors) {
        const auto key = key_of(anchor);
        keys_[anchor.get()] = key;
        auto& uppers = uppers_[key];
        const auto chain = crypto::issuer_chain(anchor, known, crypto::ChainEnd::root);
        for (std::size_t i = 1; i < chain.size(); ++i)
            uppers.push_back(key_of(chain[i]));
        const auto subject = anchor.subject();
        const auto [first, last] = subjects_.equal_range(subject);
        if (std::none_of(first, last, [&](const auto& one) { return one.second == key; }))
            subjects_.emplace(subject, key);
    }
    std::vector<std::map<std::string, std::string>> keys_by_name;
    std::vector<std::vector<crypto::Certificate>> groups;
    for (const auto& anchor : anchors) {
        const auto& key = keys_.at(anchor.get());
        std::size_t group = 0;
        while (group < groups.size() &&
               keys_by_name[group].try_emplace(anchor.subject(), key).first->second != key)
            ++group;
        if (group == groups.size()) {
            groups.emplace_back();
            keys_by_name.push_back({{anchor.subject(), key}});
        }
        groups[group].push_back(anchor);
    }
    for (auto& group : groups)
        stores_.emplace_back(std::move(group));
}

const Manufacturers::Description* Manufacturers::describe(const std::string& key) const
{
    const auto found = descriptions_.find(key);
    return found == descriptions_.end() ? nullptr : &found->second;
}

bool Manufacturers::has_name(std::string_view name) const
{
    return !name.empty() && std::any_of(descriptions_.begin(), descriptions_.end(),
                                        [&](const auto& one) { return one.second.name == name; });
}

std::string Manufacturers::name_of(std::string_view anchor) const
{
    const auto found = descriptions_.find(anchor);
    return found == descriptions_.end() ? std::string{} : found->second.name;
}

Result<std::vector<crypto::Certificate>> Manufacturers::verify(const std::vector<crypto::Certificate>& chain,
                                                               const crypto::PathPolicy& policy) const
{
    auto path =
        stores_.empty() ? crypto::AnchorStore{}.verify(chain, policy) : stores_.front().verify(chain, policy);
    // Of several errors, the one that counts is that of the anchors above the device.
    for (std::size_t i = 1; i < stores_.size() && !path; ++i)
        if (auto other = stores_[i].verify(chain, policy); other || stores_[i].is_above(chain))
            path = std::move(other);
    return path;
}

bool Manufacturers::is_above(const std::vector<crypto::Certificate>& chain) const
{
    return std::any_of(stores_.begin(), stores_.end(), [&](const auto& one) { return one.is_above(chain); });
}

Result<Identity> Manufacturers::identify(const std::vector<crypto::Certificate>& chain, base::TimePoint now,
                                         std::shared_ptr<const crypto::CrlSet> crls) const
{
    auto policy = crypto::PathPolicy::idevid(now, std::move(crls));
    policy.grace = longest_grace_; // whose device it is, only the path says
    ACMETOOL_TRY(path, verify(chain, policy));
    Identity identity;
    for (const auto& certificate : path) {
        const auto known = keys_.find(certificate.get());
        identity.authorities.push_back(known != keys_.end() ? known->second
                                                            : to_hex(certificate.public_key().spki_sha256()));
    }
    identity.key = identity.authorities.front();
    identity.anchor = identity.authorities.back();
    // A device whose certificate is itself an anchor has no authority but that.
    if (path.size() > 1) identity.authorities.erase(identity.authorities.begin());
    if (const auto above = uppers_.find(identity.anchor); above != uppers_.end())
        for (const auto& key : above->second)
            if (std::find(identity.authorities.begin(), identity.authorities.end(), key) ==
                identity.authorities.end())
                identity.authorities.push_back(key);
    SerialFields fields;
    std::chrono::seconds grace{0};
    for (const auto& key : identity.authorities) {
        const auto* description = describe(key);
        if (description == nullptr) continue;
        if (identity.manufacturer.empty()) identity.manufacturer = description->name;
        if (fields.empty()) fields = description->fields;
        if (grace.count() == 0) grace = description->grace;
    }
    if (now - grace >= path.front().not_after()) {
        policy.grace = grace;
        ACMETOOL_CHECK(verify(chain, policy)); // says what is wrong
    }
    ACMETOOL_TRY(serial, device_serial(path.front(), fields));
    identity.serial = std::move(serial);
    identity.issuer = path.front().issuer();
    return identity;
}

std::optional<std::string> Manufacturers::anchor_of_issuer(std::string_view issuer) const
{
    const auto [first, last] = subjects_.equal_range(issuer);
    if (first != last && std::next(first) == last) return first->second;
    if (first == last && uppers_.size() == 1) return uppers_.begin()->first;
    return std::nullopt;
}

} // namespace acmetool::enrol
