#include <algorithm>
#include <filesystem>

#include "crypto/extension.h"
#include "crypto/path.h"
#include "ra/ca_set.h"
#include "ra/exclusion.h"
#include "ra/records.h"
#include "relay/findings.h"
#include "store/configured.h"

namespace acmetool::relay
{
namespace
{

using Certificates = std::vector<crypto::Certificate>;

constexpr const char* kSubject = "cacerts";

void check_ends(Findings& findings, const Certificates& certificates, const char* what, const char* hint,
                base::TimePoint now)
{
    for (const auto& one : certificates)
        check_end(findings, kSubject, fmt::format("{} {}", what, one.subject()), one.not_after(), now, hint);
}

void check_intermediates(Findings& findings, const ra::CaFiles& files, const ra::CaSet& set,
                         base::TimePoint now)
{
    for (const auto& one : files.intermediates)
        if (const auto path = set.path_of({one}, now); !path)
            findings.push_back(
                {Verdict::fail, kSubject,
                 fmt::format("intermediate {}: {}", one.subject(), path.error().message),
                 "it is not sent to devices: list its root in root, or remove it from intermediates"});
}

/// Whether clients that trust only what /cacerts holds reach this relay again (RFC 7030 section 4.1.3).
void check_return(Findings& findings, const Certificates& tls, const ra::CaFiles& files)
{
    auto anchors = files.roots;
    anchors.insert(anchors.end(), files.anchors.begin(), files.anchors.end());
    auto others = tls;
    others.insert(others.end(), files.intermediates.begin(), files.intermediates.end());
    const auto path =
        crypto::verify_path(tls.front(), others, {anchors, {}, false}, crypto::PathPolicy::tls_server());
    if (path)
        ok(findings, kSubject, "clients that trust only these anchors accept the certificate in [tls]");
    else
        warn(findings, kSubject,
             fmt::format("clients that trust only these anchors do not accept the certificate in [tls]: {}",
                         path.error().message),
             "add the root of its CA to anchors; until then, clients that replace their anchors by those of "
             "/cacerts cannot renew");
}

/// Whether the first device can already have the CA's intermediate (INT-29).
void check_first_device(Findings& findings, const Config& config, const Certificates& tls,
                        const ra::CaSet& set, base::TimePoint now)
{
    const auto& options = config.ra.cacerts;
    const auto path = set.path_of(tls, now);
    const bool own_chain = path && path->size() > 2;
    if (own_chain)
        ok(findings, kSubject, "the chain in [tls] shows the CA's intermediate");
    else if (options.aia && !path && !crypto::issuer_urls(tls.back()).empty())
        ok(findings, kSubject,
           fmt::format("no intermediate of the CA is known yet: the relay asks {} when it starts",
                       crypto::issuer_urls(tls.back()).front()));
    else if (!options.order.empty())
        ok(findings, kSubject,
           fmt::format(
               "no intermediate of the CA is known yet: the relay orders a certificate for {} when it "
               "starts",
               options.order));
    else
        warn(
            findings, kSubject,
            "no intermediate of the CA is known yet: devices that ask before the first certificate is issued "
            "do not get it",
            "list it in intermediates, or set order to a name for which the relay orders a certificate");
}

/// Whether what the CA's chains brought so far leads to a root (INT-22).
void check_chains(Findings& findings, const std::vector<Bytes>& ders, ra::CaSet& set, base::TimePoint now)
{
    if (ders.empty()) return;
    set.set_intermediates(ders, now);
    const auto leading = std::count_if(ders.begin(), ders.end(), [&](const Bytes& der) {
        const auto one = crypto::parse_certificates(as_text(der), "intermediate");
        return one && set.path_of({one->front()}, now);
    });
    if (leading == 0)
        findings.push_back(
            {Verdict::fail, kSubject,
             fmt::format("none of the CA's {} intermediates leads to this root", ders.size()),
             "check that root is the root certificate of the CA behind the ACME server; if that "
             "CA changes, list the new root beside the old one"});
    else
        ok(findings, kSubject,
           fmt::format("{} of the CA's {} intermediates lead to it", leading, ders.size()));
}

Result<std::vector<Bytes>> known_intermediates(const Config& config)
{
    std::error_code none;
    const auto& store = config.ra.store;
    if (!store.is_shared() &&
        (!std::filesystem::exists(store.sqlite, none) || !ra::check_shared(store.sqlite)))
        return std::vector<Bytes>{}; // said by check_store
    ACMETOOL_TRY(database, ra::Records::open(store));
    return ra::Records{*database}.intermediates();
}

} // namespace

void check_cacerts(Findings& findings, const Config& config, base::TimePoint now)
{
    const auto files = ra::read_ca_files(config.ra.cacerts);
    if (!files) {
        bad(findings, kSubject, files.error());
        return;
    }
    check_ends(findings, files->roots, "root", "obtain the CA's next root certificate", now);
    check_ends(findings, files->anchors, "anchor", "obtain the next root certificate of this CA", now);
    check_ends(findings, files->key_updates, "key update certificate",
               "remove it from key_updates once no device needs it", now);
    ra::CaSet set;
    set.set_files(*files, now);
    check_intermediates(findings, *files, set, now);
    const auto tls = store::read_configured_certificates(config.http.certificate_file);
    if (tls) check_return(findings, *tls, *files); // else said of [tls]
    if (const auto ders = known_intermediates(config); !ders)
        warn(findings, kSubject, fmt::format("the CA's chain could not be read: {}", ders.error().message),
             "");
    else
        check_chains(findings, *ders, set, now);
    if (tls && set.intermediates() == 0) check_first_device(findings, config, *tls, set, now);
}

} // namespace acmetool::relay
