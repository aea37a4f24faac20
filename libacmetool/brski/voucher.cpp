#include "brski/voucher.h"

#include <algorithm>
#include <array>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "base/base64url.h"
#include "base/json.h"
#include "crypto/der.h"
#include "crypto/digest.h"

namespace acmetool::brski
{
namespace
{

using base::Json;

constexpr std::string_view kVoucherRoot = "ietf-voucher:voucher";
constexpr std::string_view kRequestRoot = "ietf-voucher-request:voucher";
constexpr std::size_t kShortestNonce = 8; // octets (RFC 8366 section 5.3)
constexpr std::size_t kLongestNonce = 32;
constexpr std::size_t kLongestNonceText = 64;
constexpr std::size_t kLongestSerial = 256;

/// RFC 8366 section 5.3; "agent-proximity" is RFC 8366bis's.
constexpr std::array<std::string_view, 4> kAssertions{"verified", "logged", "proximity", "agent-proximity"};

/// The leaves of one document; the first problem ends the reading.
class Leaves
{
public:
    Leaves(const Json& object, std::string what, std::string reason)
        : object_(object), what_(std::move(what)), reason_(std::move(reason))
    {
    }

    Result<std::string> text(std::string_view name, std::size_t longest) const
    {
        const auto found = object_.find(name);
        if (found == object_.end() || found->is_null()) return std::string{};
        if (!found->is_string()) return wrong(name, "is not a string");
        auto value = found->get<std::string>();
        if (value.size() > longest) return wrong(name, "is too long");
        return value;
    }
    Result<std::optional<base::TimePoint>> time(std::string_view name) const
    {
        ACMETOOL_TRY(value, text(name, 64));
        if (value.empty()) return std::optional<base::TimePoint>{};
        const auto time = base::parse_rfc3339(value);
        if (!time) return wrong(name, "is not a date and time");
        return std::optional{*time};
    }
    Result<Bytes> binary(std::string_view name) const
    {
        ACMETOOL_TRY(value, text(name, kLargestVoucher));
        if (value.empty()) return Bytes{};
        auto octets = base::parse_base64(value);
        if (!octets) return wrong(name, "is not base64");
        return std::move(*octets);
    }
    Result<std::string> serial_number() const
    {
        ACMETOOL_TRY(value, text("serial-number", kLongestSerial));
        if (value.empty()) return wrong("serial-number", "is missing");
        return std::move(value);
    }
    Result<std::string> nonce() const
    {
        ACMETOOL_TRY(value, text("nonce", kLongestNonceText));
        if (value.empty()) return std::move(value);
        const auto octets = nonce_octets(value);
        if (!octets) return wrong("nonce", "is not base64");
        if (octets->size() < kShortestNonce || octets->size() > kLongestNonce)
            return wrong("nonce", fmt::format("has {} octets, not 8 to 32", octets->size()));
        return std::move(value);
    }
    Result<std::string> assertion() const
    {
        ACMETOOL_TRY(value, text("assertion", 32));
        if (!value.empty() && std::find(kAssertions.begin(), kAssertions.end(), value) == kAssertions.end())
            return wrong("assertion", "is none that is known");
        return std::move(value);
    }
    Result<bool> boolean(std::string_view name) const
    {
        const auto found = object_.find(name);
        if (found == object_.end() || found->is_null()) return false;
        if (!found->is_boolean()) return wrong(name, "is neither true nor false");
        return found->get<bool>();
    }
    /// RFC 8366 section 5.3, "mandatory true".
    Result<void> require(std::string_view name, bool present) const
    {
        if (!present) return wrong(name, "is missing");
        return {};
    }

private:
    tl::unexpected<Error> wrong(std::string_view name, std::string_view how) const
    {
        return fail(Errc::protocol, fmt::format("{}: {} {}", what_, name, how), {}, reason_);
    }

    const Json& object_;
    std::string what_;
    std::string reason_;
};

Result<Json> root_of(std::string_view text, bool request)
{
    const std::string what = request ? "voucher-request" : "voucher";
    const std::string reason = request ? "badVoucherRequest" : "badVoucher";
    auto document = base::parse_json_object(text, what, {kLargestVoucher, 16});
    if (!document) return fail(Errc::protocol, document.error().message, {}, reason);
    for (const auto root : {request ? kRequestRoot : kVoucherRoot, kVoucherRoot})
        if (const auto found = document->find(root); found != document->end() && found->is_object())
            return Json(*found);
    return fail(Errc::protocol,
                fmt::format("{}: \"{}\" is missing", what, request ? kRequestRoot : kVoucherRoot), {},
                reason);
}

void put(Json& object, std::string_view name, const std::string& value)
{
    if (!value.empty()) object[std::string{name}] = value;
}
void put(Json& object, std::string_view name, const Bytes& value)
{
    if (!value.empty()) object[std::string{name}] = base::to_base64(value);
}
void put(Json& object, std::string_view name, const std::optional<base::TimePoint>& value)
{
    if (value) object[std::string{name}] = base::to_rfc3339(*value);
}

} // namespace

Result<Voucher> parse_voucher(std::string_view json)
{
    ACMETOOL_TRY(object, root_of(json, false));
    const Leaves leaves{object, "voucher", "badVoucher"};
    Voucher voucher;
    ACMETOOL_TRY(assertion, leaves.assertion());
    ACMETOOL_TRY(serial_number, leaves.serial_number());
    ACMETOOL_TRY(nonce, leaves.nonce());
    ACMETOOL_TRY(created_on, leaves.time("created-on"));
    ACMETOOL_TRY(expires_on, leaves.time("expires-on"));
    ACMETOOL_TRY(idevid_issuer, leaves.binary("idevid-issuer"));
    ACMETOOL_TRY(pinned_domain_cert, leaves.binary("pinned-domain-cert"));
    ACMETOOL_TRY(est_domain, leaves.text("est-domain", 1024));
    ACMETOOL_TRY(revocation_checks, leaves.boolean("domain-cert-revocation-checks"));
    ACMETOOL_CHECK(leaves.require("assertion", !assertion.empty()));
    ACMETOOL_CHECK(leaves.require("created-on", created_on.has_value()));
    if (expires_on && !nonce.empty())
        return fail(Errc::protocol, "voucher: nonce and expires-on exclude each other", {}, "badVoucher");
    return Voucher{std::move(assertion),
                   std::move(serial_number),
                   std::move(nonce),
                   created_on,
                   expires_on,
                   std::move(idevid_issuer),
                   std::move(pinned_domain_cert),
                   std::move(est_domain),
                   revocation_checks};
}

Result<VoucherRequest> parse_voucher_request(std::string_view json)
{
    ACMETOOL_TRY(object, root_of(json, true));
    const Leaves leaves{object, "voucher-request", "badVoucherRequest"};
    ACMETOOL_TRY(assertion, leaves.assertion());
    ACMETOOL_TRY(serial_number, leaves.serial_number());
    ACMETOOL_TRY(nonce, leaves.nonce());
    ACMETOOL_TRY(created_on, leaves.time("created-on"));
    ACMETOOL_TRY(idevid_issuer, leaves.binary("idevid-issuer"));
    ACMETOOL_TRY(proximity_registrar_cert, leaves.binary("proximity-registrar-cert"));
    ACMETOOL_TRY(prior, leaves.binary("prior-signed-voucher-request"));
    return VoucherRequest{std::move(assertion), std::move(serial_number), std::move(nonce),
                          created_on,           std::move(idevid_issuer), std::move(proximity_registrar_cert),
                          std::move(prior)};
}

std::string to_json(const Voucher& voucher)
{
    Json leaves = Json::object();
    put(leaves, "assertion", voucher.assertion);
    put(leaves, "serial-number", voucher.serial_number);
    put(leaves, "nonce", voucher.nonce);
    put(leaves, "created-on", voucher.created_on);
    put(leaves, "expires-on", voucher.expires_on);
    put(leaves, "idevid-issuer", voucher.idevid_issuer);
    put(leaves, "pinned-domain-cert", voucher.pinned_domain_cert);
    put(leaves, "est-domain", voucher.est_domain);
    if (voucher.domain_cert_revocation_checks) leaves["domain-cert-revocation-checks"] = true;
    return base::to_text(Json{{std::string{kVoucherRoot}, leaves}});
}

std::string to_json(const VoucherRequest& request)
{
    Json leaves = Json::object();
    put(leaves, "assertion", request.assertion);
    put(leaves, "serial-number", request.serial_number);
    put(leaves, "nonce", request.nonce);
    put(leaves, "created-on", request.created_on);
    put(leaves, "idevid-issuer", request.idevid_issuer);
    put(leaves, "proximity-registrar-cert", request.proximity_registrar_cert);
    put(leaves, "prior-signed-voucher-request", request.prior_signed_voucher_request);
    return base::to_text(Json{{std::string{kRequestRoot}, leaves}});
}

std::string new_nonce()
{
    return base::to_base64(crypto::random_bytes(16));
}

std::optional<Bytes> nonce_octets(std::string_view text)
{
    std::string plain{text};
    while (!plain.empty() && plain.back() == '=')
        plain.pop_back();
    std::replace(plain.begin(), plain.end(), '+', '-');
    std::replace(plain.begin(), plain.end(), '/', '_');
    // Some published examples have hexadecimal nonces, which are often also valid base64, except that the
    // last bits need not be zero. The text itself is used then.
    auto octets = base::parse_base64url(plain);
    if (!octets && base::is_base64url(plain)) return Bytes{plain.begin(), plain.end()};
    if (!octets || octets->empty()) return std::nullopt;
    return std::move(*octets);
}

bool same_nonce(std::string_view a, std::string_view b)
{
    const auto left = nonce_octets(a);
    const auto right = nonce_octets(b);
    return left && right && *left == *right;
}

Result<crypto::Certificate> parse_certificate(ByteView leaf, const std::vector<crypto::Certificate>& known)
{
    for (const auto& one : known) {
        const auto der = one.der();
        if (std::equal(der.begin(), der.end(), leaf.begin(), leaf.end())) return one;
    }
    ACMETOOL_TRY(found, crypto::parse_certificates(as_text(leaf), "certificate"));
    if (found.size() != 1) return fail(Errc::bad_input, "not one certificate");
    return found.front();
}

bool same_idevid_issuer(ByteView given, ByteView own)
{
    namespace der = crypto::der;
    if (given.empty() || own.empty()) return false;
    if (std::equal(given.begin(), given.end(), own.begin(), own.end())) return true;
    const auto wrapped = der::element(der::kOctetString, own);
    if (std::equal(given.begin(), given.end(), wrapped.begin(), wrapped.end())) return true;
    der::Reader outer{own};
    const auto sequence = outer.expect(der::kSequence, "authority key identifier");
    if (!sequence) return false;
    constexpr std::uint8_t kKeyIdentifier = 0x80; // [0] IMPLICIT OCTET STRING
    der::Reader members{sequence->value};
    const auto key_identifier = members.expect(kKeyIdentifier, "keyIdentifier");
    return key_identifier &&
           std::equal(given.begin(), given.end(), key_identifier->value.begin(), key_identifier->value.end());
}

} // namespace acmetool::brski
