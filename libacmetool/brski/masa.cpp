#include "brski/masa.h"

#include <algorithm>
#include <filesystem>

#include <fmt/core.h>

#include "base/text.h"
#include "brski/device_list.h"
#include "brski/idevid.h"
#include "store/atomic_file.h"

namespace acmetool::brski
{
namespace
{

constexpr std::size_t kDigestDigits = 64;
constexpr std::string_view kOwnerHint =
    "give the owner as a PEM file with the certificate that its vouchers pin, or as the SHA-256 of that "
    "certificate (openssl x509 -noout -fingerprint -sha256 -in FILE); a domainID (subjectKeyIdentifier) "
    "proves nothing";

/// The 64 digits of a SHA-256, in lower case; nothing if it is invalid.
std::optional<std::string> digest_of(std::string_view text)
{
    auto digits = base::to_lower(text);
    std::erase(digits, ':');
    const bool good = digits.size() == kDigestDigits && std::all_of(digits.begin(), digits.end(), [](char c) {
                          return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
                      });
    if (!good) return std::nullopt;
    return digits;
}

Result<std::string> owner_in_file(const std::filesystem::path& path)
{
    ACMETOOL_TRY(pem, store::read_file(path.string()));
    ACMETOOL_TRY(certificates, crypto::parse_certificates(pem, path.string()));
    if (certificates.size() != 1)
        return fail(Errc::config, fmt::format("{}: contains {} certificates, but must contain one",
                                              path.string(), certificates.size()));
    return key_digest(certificates.front());
}

} // namespace

std::string key_digest(const crypto::Certificate& certificate)
{
    return to_hex(certificate.public_key().spki_sha256());
}

bool is_owner(std::string_view owner, const crypto::Certificate& certificate)
{
    return owner == key_digest(certificate) || owner == to_hex(certificate.sha256());
}

Result<OwnerList> parse_owners(std::string_view text, const std::string& file)
{
    OwnerList owners;
    const auto take = [&](const std::vector<std::string>& fields) -> Result<void> {
        const auto wrong = [](std::string why) {
            return fail(Errc::config, std::move(why), std::string{kOwnerHint});
        };
        if (fields.size() != 2 || fields.front().empty() || fields.back().empty())
            return wrong("not \"serial,OWNER\"");
        const auto& named = fields.back();
        auto owner = digest_of(named);
        if (!owner) {
            auto read = owner_in_file(std::filesystem::path{file}.parent_path() / named);
            if (!read)
                return wrong(fmt::format("owner {} is neither a SHA-256 nor a certificate file ({})",
                                         base::printable(named, 100), read.error().message));
            owner = std::move(*read);
        }
        if (!owners.emplace(fields.front(), std::move(*owner)).second) return listed_twice(fields.front());
        return {};
    };
    ACMETOOL_CHECK(read_device_list(text, file, "badOwners", take));
    return owners;
}

Result<Grant> decide(const Envelope& envelope, const MasaPolicy& policy, base::TimePoint now)
{
    auto knowledge = policy.knowledge;
    knowledge.now = now;
    const auto verdict = check_registrar_request(envelope, knowledge);
    if (!verdict.report.good()) return fail(verdict.report.error("voucher-request"));
    const auto& request = *verdict.request;
    const auto pinned = policy.pin == Pin::registrar ? verdict.registrar.front() : verdict.registrar.back();
    const auto owner = policy.owners.find(request.serial_number);
    if (owner == policy.owners.end() && (policy.owners_only || !verdict.idevid))
        return fail(Errc::refused,
                    fmt::format("device {} is unknown", base::printable(request.serial_number, 100)), {},
                    Cause::unknown_device);
    if (owner != policy.owners.end() && !is_owner(owner->second, pinned))
        return fail(
            Errc::refused,
            fmt::format("device {} belongs to another domain", base::printable(request.serial_number, 100)),
            {}, "owner");
    Grant grant;
    auto& voucher = grant.voucher;
    voucher.assertion = owner != policy.owners.end() ? "verified"
                        : verdict.proximity          ? "proximity"
                                                     : "logged";
    voucher.serial_number = request.serial_number;
    voucher.nonce = request.nonce;
    voucher.created_on = now;
    // RFC 8366 section 5.3: a voucher has a nonce or an end.
    if (voucher.nonce.empty()) voucher.expires_on = now + policy.nonceless_lifetime;
    voucher.idevid_issuer = verdict.idevid ? idevid_issuer(*verdict.idevid) : request.idevid_issuer;
    voucher.pinned_domain_cert = pinned.der();
    grant.event = {now, domain_id(pinned), voucher.nonce, voucher.assertion, 0, key_digest(pinned)};
    return grant;
}

int http_status_of(const Error& error)
{
    if (error.reason == Cause::unknown_device) return 404;
    if (error.code == Errc::refused) return 403;
    if (error.code == Errc::io) return 503;
    return error.code == Errc::protocol || error.code == Errc::bad_input ? 400 : 500;
}

} // namespace acmetool::brski
