#include "est/ca_certificates.h"

#include <algorithm>

#include <fmt/core.h>

#include "base/hex.h"
#include "base/text.h"
#include "crypto/digest.h"
#include "crypto/path.h"

namespace acmetool::est
{
namespace
{

using crypto::Certificate;

bool is_same(const Certificate& a, const Certificate& b)
{
    return a.sha256() == b.sha256();
}

bool contains(const std::vector<Certificate>& list, const Certificate& certificate)
{
    return std::any_of(list.begin(), list.end(), [&](const auto& one) { return is_same(one, certificate); });
}

/// OldWithOld beside OldWithNew, NewWithNew beside NewWithOld (RFC 4210 section 4.4): a self-signed
/// certificate whose name and key are also certified by another certificate.
bool is_vouched_for(const Certificate& certificate, const std::vector<Certificate>& believed)
{
    return crypto::is_self_signed(certificate) &&
           std::any_of(believed.begin(), believed.end(), [&](const Certificate& one) {
               return one.subject() == certificate.subject() &&
                      one.public_key().same_public_key(certificate.public_key());
           });
}

/// RFC 7030 section 4.1.3: a CA's "most recent self-signed certificate" has "the latest NotAfter date". A
/// server may send the roots of several CAs, each with its own name.
std::vector<Certificate> most_recent(const std::vector<Certificate>& received)
{
    std::vector<Certificate> latest;
    for (const auto& certificate : received) {
        if (!crypto::is_ca(certificate) || !crypto::is_self_signed(certificate)) continue;
        const auto same_ca = std::find_if(latest.begin(), latest.end(), [&](const Certificate& one) {
            return one.subject() == certificate.subject();
        });
        if (same_ca == latest.end())
            latest.push_back(certificate);
        else if (certificate.not_after() > same_ca->not_after())
            *same_ca = certificate;
    }
    return latest;
}

CaCertificates validate(const std::vector<Certificate>& received, const std::vector<Certificate>& anchors,
                        bool clock)
{
    auto policy = crypto::PathPolicy::ca_certificate();
    policy.clock = clock;
    std::vector<Certificate> believed = anchors;
    // OpenSSL would take a self-signed certificate that is no anchor for the end of a path, although a key
    // update certificate of the same name and key leads on.
    auto between = received;
    std::erase_if(between, crypto::is_self_signed);
    for (bool more = true; more;) {
        more = false;
        for (const auto& certificate : received) {
            if (contains(believed, certificate) || !crypto::is_ca(certificate)) continue;
            // RFC 7030 section 4.1.3: "all the other certificates MUST be validated using normal [RFC5280]
            // certificate path validation".
            if (!crypto::verify_path(certificate, between, {anchors, {}, false}, policy) &&
                !is_vouched_for(certificate, believed))
                continue;
            believed.push_back(certificate);
            more = true;
        }
    }
    CaCertificates sorted;
    for (const auto& anchor : anchors)
        if (contains(received, anchor) && !contains(sorted.trusted, anchor)) sorted.trusted.push_back(anchor);
    for (const auto& certificate : received) {
        if (contains(sorted.trusted, certificate)) continue;
        (contains(believed, certificate) ? sorted.trusted : sorted.rejected).push_back(certificate);
    }
    return sorted;
}

} // namespace

Result<Fingerprint> parse_fingerprint(std::string_view text)
{
    const auto bad = [&] {
        return fail(Errc::usage, fmt::format("\"{}\" is not a fingerprint", base::printable(text, 200)),
                    "give sha256:HEX or sha512:HEX of the whole certificate, as openssl x509 -fingerprint "
                    "-sha256 prints it",
                    "badFingerprint");
    };
    const auto colon = text.find(':');
    Fingerprint fingerprint{base::to_lower(text.substr(0, colon)), {}};
    const bool sha256 = fingerprint.algorithm == "sha256";
    if (colon == std::string_view::npos || (!sha256 && fingerprint.algorithm != "sha512")) return bad();
    std::string digits;
    for (const char c : text.substr(colon + 1))
        if (c != ':' && c != ' ') digits += c;
    if (digits.size() != (sha256 ? 64U : 128U)) return bad();
    auto octets = base::parse_hex(digits);
    if (!octets) return bad();
    fingerprint.digest = std::move(*octets);
    return fingerprint;
}

bool matches(const Fingerprint& fingerprint, const Certificate& certificate)
{
    if (fingerprint.algorithm == "sha256") return fingerprint.digest == certificate.sha256();
    const auto digest = crypto::digest(crypto::Hash::sha512, {certificate.der()});
    return digest && *digest == fingerprint.digest;
}

Result<CaCertificates> sort_out(const std::vector<Certificate>& received, const Fingerprint& fingerprint,
                                bool clock)
{
    const auto found = std::find_if(received.begin(), received.end(),
                                    [&](const auto& one) { return matches(fingerprint, one); });
    if (found == received.end())
        return fail(Errc::refused,
                    fmt::format("none of the {} certificates has the fingerprint {}:{}", received.size(),
                                fingerprint.algorithm, to_hex(fingerprint.digest)),
                    "the answer was discarded: check the server's URL and the fingerprint of its EST CA's "
                    "certificate",
                    "fingerprint");
    return validate(received, {*found}, clock);
}

Result<CaCertificates> sort_out(const std::vector<Certificate>& received,
                                const std::vector<Certificate>& explicit_anchors, bool clock)
{
    std::vector<Certificate> anchors = explicit_anchors;
    const auto latest = most_recent(received);
    anchors.insert(anchors.begin(), latest.begin(), latest.end());
    if (anchors.empty())
        for (const auto& certificate : received)
            if (crypto::is_ca(certificate) &&
                std::none_of(received.begin(), received.end(),
                             [&](const Certificate& other) { return certificate.is_issued_by(other); }))
                anchors.push_back(certificate);
    auto sorted = validate(received, anchors, clock);
    if (sorted.trusted.empty())
        return fail(
            Errc::protocol,
            fmt::format("none of the {} certificates in the server's answer is a CA certificate that can be "
                        "believed",
                        received.size()),
            "ask the server's operator: /cacerts must contain the root of its CA", "noCaCertificate");
    return sorted;
}

std::vector<Certificate> chain_of(const std::vector<Certificate>& certificates,
                                  const std::vector<Certificate>& cas)
{
    if (certificates.empty()) return {};
    std::vector<Certificate> pool{certificates.begin() + 1, certificates.end()};
    pool.insert(pool.end(), cas.begin(), cas.end());
    return crypto::issuer_chain(certificates.front(), pool, crypto::ChainEnd::below_root);
}

} // namespace acmetool::est
