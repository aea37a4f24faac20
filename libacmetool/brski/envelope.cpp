#include "brski/envelope.h"

#include <algorithm>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "base/base64url.h"
#include "base/body_text.h"
#include "base/json.h"
#include "base/text.h"
#include "jose/jws.h"

namespace acmetool::brski
{
namespace
{

using base::Json;

constexpr std::string_view kAnimaJsonVoucher = "1.2.840.113549.1.9.16.1.40"; // RFC 8366 section 8.4
constexpr std::string_view kIdData = "1.2.840.113549.1.7.1"; // the examples of RFC 8995 appendix C.2
constexpr std::string_view kJwsType = "voucher-jws+json";
constexpr std::size_t kMostCertificates = 20;
constexpr unsigned kFullWeight = 1000;

tl::unexpected<Error> bad_envelope(std::string_view why)
{
    return fail(Errc::protocol, fmt::format("signed voucher: {}", why), {}, "badEnvelope");
}

/// "0.5" is 500; an invalid weight counts as 1.
unsigned weight_of(std::string_view parameters)
{
    for (const auto parameter : base::split(parameters, ';')) {
        const auto text = base::trim(parameter);
        if (!text.starts_with("q=") && !text.starts_with("Q=")) continue;
        unsigned weight = 0;
        unsigned scale = kFullWeight;
        for (const char c : text.substr(2)) {
            if (c == '.') continue;
            if (c < '0' || c > '9') return kFullWeight;
            weight += static_cast<unsigned>(c - '0') * scale;
            scale /= 10;
        }
        return std::min(weight, kFullWeight);
    }
    return kFullWeight;
}

/// The only signature of a General JWS in the form that jose/ reads.
Result<jose::Jws> flatten(const Bytes& octets)
{
    auto document = base::parse_json_object(as_text(octets), "JWS", {kLargestEnvelope, 16});
    if (!document) return bad_envelope(document.error().message);
    const auto signatures = document->find("signatures");
    if (signatures == document->end() || !signatures->is_array() || signatures->size() != 1 ||
        !signatures->front().is_object())
        return bad_envelope("a JWS in General JSON serialization must have \"signatures\" with one element");
    auto flat = signatures->front();
    if (flat.contains("payload")) return bad_envelope("\"payload\" within a signature");
    const auto payload = base::string_member(*document, "payload");
    if (!payload) return bad_envelope("no payload");
    flat["payload"] = *payload;
    auto jws = jose::parse_jws(base::to_text(flat));
    if (!jws) return bad_envelope(jws.error().message);
    // Section 3.2 of the draft: "typ" is "voucher-jws+json" or the same with "application/".
    auto type = base::string_member(*jws->header, "typ").value_or(std::string{});
    if (type.starts_with("application/")) type.erase(0, std::string_view{"application/"}.size());
    if (!type.empty() && !base::equals_ignoring_case(type, kJwsType))
        return bad_envelope(fmt::format("typ \"{}\" is not {}", base::printable(type, 60), kJwsType));
    return std::move(*jws);
}

Result<std::vector<crypto::Certificate>> x5c_of(const jose::Jws& jws)
{
    std::vector<crypto::Certificate> certificates;
    const auto x5c = jws.header->find("x5c");
    if (x5c == jws.header->end()) return certificates;
    if (!x5c->is_array() || x5c->size() > kMostCertificates)
        return bad_envelope("x5c is not a list of certificates");
    for (const auto& entry : *x5c) {
        if (!entry.is_string()) return bad_envelope("x5c contains something other than strings");
        const auto der = base::parse_base64(entry.get<std::string>());
        if (!der) return bad_envelope("x5c contains something other than base64");
        auto parsed = crypto::parse_certificates(as_text(*der), "x5c");
        if (!parsed || parsed->size() != 1)
            return bad_envelope("x5c contains something other than certificates");
        certificates.push_back(parsed->front());
    }
    return certificates;
}

bool is_voucher_type(std::string_view content_type)
{
    return content_type == kAnimaJsonVoucher || content_type == kIdData;
}

Result<Envelope> parse_cms(ByteView octets)
{
    constexpr std::uint8_t kSequence = 0x30;
    Envelope envelope;
    envelope.octets.assign(octets.begin(), octets.end());
    if (!octets.empty() && octets.front() != kSequence)
        if (auto decoded = base::parse_base64(base::trim_body(as_text(octets))))
            envelope.octets = std::move(*decoded);
    auto message = crypto::parse_signed_data(envelope.octets);
    if (!message) return bad_envelope(message.error().message);
    if (!is_voucher_type(message->content_type))
        return bad_envelope(fmt::format("content of type {}", message->content_type));
    if (message->signers != 1)
        return bad_envelope(fmt::format("{} signers instead of one", message->signers));
    envelope.content = as_text(message->content);
    envelope.certificates = message->certificates;
    envelope.message = std::move(*message);
    return envelope;
}

Result<Envelope> parse_general_jws(ByteView octets)
{
    Envelope envelope;
    envelope.format = Format::jws;
    const auto text = base::trim_body(as_text(octets));
    envelope.octets.assign(text.begin(), text.end());
    ACMETOOL_TRY(jws, flatten(envelope.octets));
    envelope.content = as_text(jws.payload);
    ACMETOOL_TRY(certificates, x5c_of(jws));
    envelope.certificates = std::move(certificates);
    return envelope;
}

/// `signer` first, then the others, without duplicates.
std::vector<crypto::Certificate> signer_first(const crypto::Certificate& signer,
                                              const std::vector<crypto::Certificate>& others)
{
    std::vector<crypto::Certificate> chain{signer};
    for (const auto& one : others)
        if (one.sha256() != signer.sha256()) chain.push_back(one);
    return chain;
}

Error signature_error(Error error)
{
    error.code = Errc::protocol;
    error.reason = Cause::signature;
    return error;
}

} // namespace

std::string_view media_type(Format format)
{
    return format == Format::cms ? kCmsVoucher : kJwsVoucher;
}

std::optional<Format> format_of(std::string_view content_type)
{
    const auto type = base::trim(content_type.substr(0, content_type.find(';')));
    if (base::equals_ignoring_case(type, kCmsVoucher)) return Format::cms;
    if (base::equals_ignoring_case(type, kJwsVoucher)) return Format::jws;
    return std::nullopt;
}

std::optional<Format> choose_format(std::string_view accept, Format preferred)
{
    if (base::trim(accept).empty()) return preferred;
    const Format other = preferred == Format::cms ? Format::jws : Format::cms;
    // The most specific range applies: 2 the type itself, 1 "application/*", 0 "*/*".
    const auto weight = [&](Format format) {
        int best = -1;
        unsigned result = 0;
        for (const auto range : base::split(accept, ',')) {
            const auto semicolon = range.find(';');
            const auto type = base::trim(range.substr(0, semicolon));
            const int specific = base::equals_ignoring_case(type, media_type(format)) ? 2
                                 : base::equals_ignoring_case(type, "application/*")  ? 1
                                 : type == "*/*"                                      ? 0
                                                                                      : -1;
            if (specific <= best) continue;
            best = specific;
            result =
                semicolon == std::string_view::npos ? kFullWeight : weight_of(range.substr(semicolon + 1));
        }
        return result;
    };
    const auto of_preferred = weight(preferred);
    const auto of_other = weight(other);
    if (of_preferred == 0 && of_other == 0) return std::nullopt;
    return of_other > of_preferred ? other : preferred;
}

Result<Envelope> parse_envelope(ByteView octets, Format format)
{
    if (octets.size() > kLargestEnvelope) return bad_envelope("too large");
    return format == Format::cms ? parse_cms(octets) : parse_general_jws(octets);
}

Result<Envelope> parse_envelope(ByteView octets)
{
    return parse_envelope(octets, base::trim(as_text(octets)).starts_with('{') ? Format::jws : Format::cms);
}

Result<std::string> unverified_content(ByteView octets, Format format)
{
    if (format == Format::cms && octets.size() <= kLargestEnvelope)
        if (const auto message = crypto::parse_signed_content(octets);
            message && is_voucher_type(message->content_type))
            return std::string{as_text(message->content)};
    ACMETOOL_TRY(envelope, parse_envelope(octets, format));
    return std::move(envelope.content);
}

Result<std::vector<crypto::Certificate>> verify_signature(const Envelope& envelope,
                                                          const std::vector<crypto::Certificate>& more)
{
    if (envelope.format == Format::cms) {
        if (!envelope.message) return fail(Errc::internal, "a CMS that was not parsed");
        auto signers = crypto::verify_signed_data(*envelope.message, more);
        if (!signers) return fail(signature_error(std::move(signers).error()));
        return signer_first(signers->front(), envelope.certificates);
    }
    ACMETOOL_TRY(jws, flatten(envelope.octets));
    // RFC 7515 section 4.1.6: the first certificate is that of the signing key.
    const auto& candidates = envelope.certificates.empty() ? more : envelope.certificates;
    if (candidates.empty())
        return fail(Errc::protocol, "JWS: the signer's certificate is missing", {}, Cause::signature);
    const auto last = envelope.certificates.empty() ? candidates.end() : candidates.begin() + 1;
    std::optional<Error> problem;
    for (auto candidate = candidates.begin(); candidate != last; ++candidate) {
        auto good = jose::verify(jws, candidate->public_key());
        if (good) return signer_first(*candidate, envelope.certificates);
        problem = std::move(good).error();
    }
    return fail(signature_error(std::move(*problem)));
}

Result<Bytes> seal(std::string_view content, Format format, const Signer& signer)
{
    if (signer.chain.empty()) return fail(Errc::config, "no certificate to sign with");
    const auto& own = signer.chain.front();
    if (format == Format::cms) {
        crypto::SignedDataOptions options;
        options.content_type = kAnimaJsonVoucher;
        options.content.assign(content.begin(), content.end());
        options.certificates.assign(signer.chain.begin() + 1, signer.chain.end());
        return crypto::sign_data(signer.key, own, options);
    }
    if (!signer.key.same_public_key(own.public_key()))
        return fail(Errc::config, "the signing key does not belong to the signing certificate");
    Json x5c = Json::array();
    for (const auto& one : signer.chain)
        x5c.push_back(base::to_base64(one.der()));
    ACMETOOL_TRY(flat, jose::sign(signer.key, {{"typ", kJwsType}, {"x5c", x5c}}, content));
    auto jws = Json::parse(flat);
    const auto text = base::to_text(Json{
        {"payload", jws["payload"]},
        {"signatures", Json::array({{{"protected", jws["protected"]}, {"signature", jws["signature"]}}})}});
    return Bytes{text.begin(), text.end()};
}

} // namespace acmetool::brski
