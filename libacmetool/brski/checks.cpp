#include "brski/checks.h"

#include <algorithm>
#include <iterator>

#include <fmt/core.h>

#include "base/text.h"
#include "brski/idevid.h"
#include "crypto/extension.h"
#include "crypto/path.h"

namespace acmetool::brski
{
namespace
{

constexpr const char* kVoucherChecks = "RFC 8995 section 5.6.1";
constexpr const char* kRequestChecks = "RFC 8995 section 5.5";
/// How far another party's clock may be ahead of ours.
constexpr std::chrono::minutes kClockSkew{5};

/// Writes the report. note() returns whether the check passed.
class Checker
{
public:
    explicit Checker(Report& report) : report_(report) {}

    bool note(const char* name, bool passed, std::string text, const char* source)
    {
        report_.checks.push_back({name, passed ? Outcome::passed : Outcome::failed, std::move(text), source});
        return passed;
    }
    template <class T>
    bool note(const char* name, const Result<T>& result, std::string text, const char* source)
    {
        return note(name, result.has_value(), result ? std::move(text) : result.error().message, source);
    }
    void skip(const char* name, std::string text, const char* source)
    {
        report_.checks.push_back({name, Outcome::skipped, std::move(text), source});
    }

private:
    Report& report_;
};

std::optional<crypto::Certificate> parse_one(const Bytes& leaf, const std::vector<crypto::Certificate>& known)
{
    auto parsed = parse_certificate(leaf, known);
    if (!parsed) return std::nullopt;
    return std::move(*parsed);
}

std::string shown(std::string_view text)
{
    return text.empty() ? "none" : base::printable(text, 100);
}

bool is_device(const crypto::Certificate& certificate)
{
    return enrol::device_serial(certificate) || crypto::extension_value(certificate, kMasaUrlExtension);
}

void check_freshness(Checker& checker, const Voucher& voucher, const PledgeKnowledge& knowledge)
{
    if (voucher.nonce.empty())
        checker.note("nonce", knowledge.allow_nonceless,
                     knowledge.allow_nonceless
                         ? "nonceless, which is allowed here"
                         : "the voucher has no nonce, and nonceless ones are not allowed",
                     kVoucherChecks);
    else
        checker.note("nonce", same_nonce(voucher.nonce, knowledge.nonce),
                     same_nonce(voucher.nonce, knowledge.nonce)
                         ? "equal to the request's"
                         : fmt::format("{} differs from the request's, {}", shown(voucher.nonce),
                                       shown(knowledge.nonce)),
                     kVoucherChecks);
    if (!voucher.expires_on)
        checker.skip("expires-on", "the voucher does not expire", kVoucherChecks);
    else if (!knowledge.now)
        checker.skip("expires-on", "this host has no clock to compare it with", kVoucherChecks);
    else
        checker.note("expires-on", *voucher.expires_on > *knowledge.now,
                     fmt::format("{} at {}",
                                 *voucher.expires_on > *knowledge.now ? "ends" : "the voucher expired",
                                 base::to_rfc3339(*voucher.expires_on)),
                     kVoucherChecks);
    if (voucher.created_on && knowledge.now)
        checker.note(
            "created-on", *voucher.created_on <= *knowledge.now + kClockSkew,
            fmt::format("made at {}{}", base::to_rfc3339(*voucher.created_on),
                        *voucher.created_on <= *knowledge.now + kClockSkew ? "" : ", which is in the future"),
            "RFC 8366 section 5.3");
}

void check_issuer(Checker& checker, const Voucher& voucher, const PledgeKnowledge& knowledge)
{
    if (voucher.idevid_issuer.empty()) {
        checker.skip("idevid-issuer", "the voucher contains none", "RFC 8366 section 5.3");
        return;
    }
    const bool same = same_idevid_issuer(voucher.idevid_issuer, idevid_issuer(knowledge.idevid));
    checker.note("idevid-issuer", same,
                 same ? "the issuer of the IDevID" : "not the issuer of this device's IDevID",
                 "RFC 8366 section 5.3");
}

/// What vouches for the pinned certificate: itself if it is self-signed, else its issuer if the registrar
/// presented it.
std::vector<crypto::Certificate> issuers_of(const crypto::Certificate& pinned,
                                            const std::vector<crypto::Certificate>& presented)
{
    if (crypto::is_self_signed(pinned)) return {pinned};
    std::vector<crypto::Certificate> issuers;
    std::copy_if(presented.begin(), presented.end(), std::back_inserter(issuers),
                 [&](const auto& one) { return crypto::is_ca(one) && pinned.is_issued_by(one); });
    return issuers;
}

/// RFC 8366 section 5.3: the pledge "MUST (true) [...] verify the revocation status for the pinned domain
/// certificate". `known` is that certificate, or the registrar's with the same key.
Result<void> check_revocation(const crypto::Certificate& known, const PledgeKnowledge& knowledge)
{
    if (!knowledge.crls)
        return fail(Errc::refused, "the voucher demands revocation checks of the domain's certificates: give "
                                   "the CRLs of their issuers (--crl)");
    if (!knowledge.now) return fail(Errc::refused, "revocation cannot be checked without a clock");
    if (knowledge.registrar.empty())
        return fail(Errc::refused, "revocation cannot be checked without the registrar's certificates");
    const auto issuers = issuers_of(known, knowledge.registrar);
    if (issuers.empty())
        return fail(
            Errc::refused,
            fmt::format("revocation cannot be checked: the registrar did not present {}, the issuer of "
                        "the pinned certificate",
                        known.issuer()));
    ACMETOOL_CHECK(crypto::AnchorStore{issuers}.verify(
        knowledge.registrar, crypto::PathPolicy::registrar(*knowledge.now, knowledge.crls)));
    return {};
}

/// RFC 8995 section 5.6.2: "the pledge MUST verify the [...] TLS server certificate against the
/// pinned-domain-cert"; a pinned end entity must have the same key.
void check_registrar(Checker& checker, VoucherVerdict& verdict, const PledgeKnowledge& knowledge)
{
    constexpr const char* kSource = "RFC 8995 section 5.6.2";
    verdict.pinned = parse_one(verdict.voucher->pinned_domain_cert, knowledge.registrar);
    if (!checker.note("pinned-domain-cert", verdict.pinned.has_value(),
                      verdict.pinned ? verdict.pinned->subject()
                                     : "the voucher has no valid pinned-domain-cert",
                      kVoucherChecks))
        return;
    const auto* const server = knowledge.registrar.empty() ? nullptr : &knowledge.registrar.front();
    const bool same_key =
        server != nullptr && verdict.pinned->public_key().same_public_key(server->public_key());
    const auto& known = same_key ? *server : *verdict.pinned; // the voucher vouches for either
    if (server == nullptr)
        checker.skip("registrar", "no TLS connection to compare with", kSource);
    else
        checker.note("registrar",
                     crypto::AnchorStore{{known}}.verify(
                         knowledge.registrar,
                         crypto::PathPolicy::registrar(knowledge.now.value_or(server->not_before()))),
                     same_key ? "its key is the pinned key" : "its path leads to the pinned certificate",
                     kSource);
    if (verdict.voucher->domain_cert_revocation_checks)
        checker.note("domain-cert-revocation-checks", check_revocation(known, knowledge),
                     "no certificate of the registrar's path is revoked", "RFC 8366 section 5.3");
}

} // namespace

bool Report::good() const
{
    return !checks.empty() && std::none_of(checks.begin(), checks.end(), [](const Check& check) {
        return check.outcome == Outcome::failed;
    });
}

Error Report::error(std::string_view what) const
{
    Error error;
    error.code = Errc::refused;
    error.message = std::string{what};
    for (const auto& check : checks) {
        if (check.outcome != Outcome::failed) continue;
        error.message = fmt::format("{}: {}: {}", what, check.name, check.text);
        error.reason = check.name;
        break;
    }
    return error;
}

VoucherVerdict check_voucher(ByteView octets, const PledgeKnowledge& knowledge)
{
    VoucherVerdict verdict;
    Checker checker{verdict.report};
    const auto envelope = parse_envelope(octets);
    if (!checker.note("form", envelope,
                      envelope ? fmt::format("{}", media_type(envelope->format)) : std::string{},
                      "RFC 8366 section 5.4"))
        return verdict;
    const auto chain = verify_signature(*envelope, knowledge.manufacturer.certificates());
    if (!checker.note("signature", chain, chain ? "by " + chain->front().subject() : std::string{},
                      kVoucherChecks))
        return verdict;
    const auto time = knowledge.now.value_or(chain->front().not_before());
    checker.note("signer", knowledge.manufacturer.verify(*chain, crypto::PathPolicy::voucher_signer(time)),
                 "verified with the manufacturer's trust anchor", kVoucherChecks);
    // The anchor is often also that of the IDevIDs: a device must not sign vouchers for the manufacturer.
    if (is_device(chain->front()))
        checker.note("signer", false, "it is a device's certificate, which must not sign vouchers",
                     kVoucherChecks);
    auto voucher = parse_voucher(envelope->content);
    if (!checker.note("voucher", voucher, "read", "RFC 8366 section 5.3")) return verdict;
    verdict.voucher = std::move(*voucher);
    const auto own = enrol::device_serial(knowledge.idevid);
    const bool same = own && *own == verdict.voucher->serial_number;
    checker.note("serial-number", same,
                 same
                     ? *own
                     : fmt::format("{} differs from this device's, {}", shown(verdict.voucher->serial_number),
                                   own ? shown(*own) : own.error().message),
                 kVoucherChecks);
    check_freshness(checker, *verdict.voucher, knowledge);
    check_issuer(checker, *verdict.voucher, knowledge);
    check_registrar(checker, verdict, knowledge);
    return verdict;
}

RequestVerdict check_pledge_request(const Envelope& envelope, const RegistrarKnowledge& knowledge)
{
    RequestVerdict verdict;
    Checker checker{verdict.report};
    const auto chain = verify_signature(envelope, {knowledge.idevid});
    if (!checker.note("signature", chain, "holds", kRequestChecks)) return verdict;
    // Compare keys, not certificates: RFC 8995 appendix C has two certificates for one key.
    checker.note("signer", chain->front().public_key().same_public_key(knowledge.idevid.public_key()),
                 "the request must be signed with the key of the TLS client certificate", kRequestChecks);
    auto request = parse_voucher_request(envelope.content);
    if (!checker.note("voucher-request", request, "read", "RFC 8995 section 3")) return verdict;
    verdict.request = std::move(*request);
    const auto own = enrol::device_serial(knowledge.idevid, knowledge.serial_fields);
    checker.note("serial-number", own && *own == verdict.request->serial_number,
                 fmt::format("request: {}, IDevID: {}", shown(verdict.request->serial_number),
                             own ? shown(*own) : own.error().message),
                 kRequestChecks);
    checker.note("nonce", !verdict.request->nonce.empty(), "a pledge's request must have one",
                 "RFC 8995 section 5.2");
    checker.note("assertion", verdict.request->assertion == "proximity",
                 fmt::format("must be \"proximity\"; this is {}", shown(verdict.request->assertion)),
                 "RFC 8995 section 5.2");
    checker.note("prior-signed-voucher-request", verdict.request->prior_signed_voucher_request.empty(),
                 "only a registrar's request may contain it", "RFC 8995 section 5.2");
    const auto seen = parse_one(verdict.request->proximity_registrar_cert, {knowledge.registrar});
    checker.note("proximity-registrar-cert", seen && seen->sha256() == knowledge.registrar.sha256(),
                 seen ? fmt::format("the pledge received {}", seen->subject()) : "missing or no certificate",
                 "RFC 8995 section 5.2");
    return verdict;
}

namespace
{

/// The pledge's own request inside a registrar's (RFC 8995 sections 5.5.5 and 5.5.6).
void check_prior(Checker& checker, RegistrarRequestVerdict& verdict, const MasaKnowledge& knowledge)
{
    constexpr const char* kSource = "RFC 8995 section 5.5.5";
    const auto& request = *verdict.request;
    const auto envelope = parse_envelope(request.prior_signed_voucher_request);
    if (!checker.note("prior-signed-voucher-request", envelope, "read", kSource)) return;
    const auto chain = verify_signature(*envelope);
    if (!checker.note("prior-signature", chain, "holds", kSource)) return;
    const auto path = knowledge.idevid_anchors.verify(*chain, crypto::PathPolicy::idevid(knowledge.now));
    if (!checker.note("prior-signer", path, "a known device", kSource)) return;
    verdict.idevid = chain->front();
    const auto prior = parse_voucher_request(envelope->content);
    if (!checker.note("prior-request", prior, "read", kSource)) return;
    const auto serial = enrol::device_serial(*verdict.idevid, knowledge.serial_fields);
    checker.note("prior-serial-number",
                 serial && *serial == prior->serial_number && *serial == request.serial_number,
                 fmt::format("registrar: {}, pledge: {}, IDevID: {}", shown(request.serial_number),
                             shown(prior->serial_number), serial ? shown(*serial) : "none"),
                 kSource);
    checker.note("prior-nonce",
                 prior->nonce.empty() ? request.nonce.empty() : same_nonce(prior->nonce, request.nonce),
                 fmt::format("registrar: {}, pledge: {}", shown(request.nonce), shown(prior->nonce)),
                 "RFC 8995 section 5.5.6");
    if (prior->proximity_registrar_cert.empty()) {
        checker.note("proximity", prior->assertion != "proximity",
                     "proximity asserted without proximity-registrar-cert", kSource);
        return;
    }
    const auto seen = parse_one(prior->proximity_registrar_cert, verdict.registrar);
    const bool known = seen && std::any_of(verdict.registrar.begin(), verdict.registrar.end(),
                                           [&](const crypto::Certificate& one) {
                                               return one.public_key().same_public_key(seen->public_key());
                                           });
    verdict.proximity =
        checker.note("proximity", known, "the registrar that the pledge connected to must be the signer",
                     kSource) &&
        prior->assertion == "proximity";
}

} // namespace

RegistrarRequestVerdict check_registrar_request(const Envelope& envelope, const MasaKnowledge& knowledge)
{
    RegistrarRequestVerdict verdict;
    Checker checker{verdict.report};
    const auto chain = verify_signature(envelope);
    if (!checker.note("signature", chain, "holds", "RFC 8995 section 5.5.3")) return verdict;
    verdict.registrar = crypto::issuer_chain(chain->front(), *chain, crypto::ChainEnd::root);
    const auto& signer = verdict.registrar.front();
    checker.note("cmcRA", crypto::has_extended_key_usage(signer, crypto::kCmcRaPurpose),
                 "the signer's extended key usages must include id-kp-cmcRA", "RFC 8995 section 5.5.4");
    checker.note("registrar-validity",
                 signer.not_before() <= knowledge.now && knowledge.now <= signer.not_after(),
                 "the signer's certificate must be valid now", "RFC 8995 section 5.5.3");
    // Where any registrar is accepted, its path must be valid as far as it came along.
    const bool anchored = !knowledge.registrar_anchors.empty();
    const auto anchors =
        anchored ? knowledge.registrar_anchors : crypto::AnchorStore{{verdict.registrar.back()}};
    checker.note("registrar",
                 anchors.verify(verdict.registrar, crypto::PathPolicy::registration_authority(knowledge.now)),
                 anchored ? "known registrar" : "any registrar is accepted", "RFC 8995 section 5.5.3");
    auto request = parse_voucher_request(envelope.content);
    if (!checker.note("voucher-request", request, "read", "RFC 8995 section 3")) return verdict;
    verdict.request = std::move(*request);
    checker.note("proximity-registrar-cert", verdict.request->proximity_registrar_cert.empty(),
                 "a registrar's request must not contain it", kRequestChecks);
    const auto created = verdict.request->created_on;
    checker.note("created-on",
                 created && *created <= knowledge.now + kClockSkew &&
                     *created >= knowledge.now - knowledge.oldest,
                 created ? base::to_rfc3339(*created) : "missing", "RFC 8995 section 5.5");
    if (verdict.request->nonce.empty())
        checker.note("nonceless", anchored && knowledge.allow_nonceless,
                     "only for known registrars, and only if allowed", "RFC 8995 section 5.5.3");
    if (verdict.request->prior_signed_voucher_request.empty())
        checker.note("prior-signed-voucher-request", verdict.request->nonce.empty(),
                     "a request with a nonce must contain the pledge's request", "RFC 8995 section 5.5.5");
    else
        check_prior(checker, verdict, knowledge);
    return verdict;
}

} // namespace acmetool::brski
