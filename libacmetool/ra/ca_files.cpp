#include "ra/ca_files.h"

#include <algorithm>

#include <fmt/core.h>

#include "crypto/path.h"
#include "store/configured.h"

namespace acmetool::ra
{
namespace
{

using crypto::Certificate;
using Certificates = std::vector<Certificate>;

Result<Certificates> read_all(const std::vector<std::string>& files)
{
    Certificates all;
    for (const auto& file : files) {
        ACMETOOL_TRY(some, store::read_configured_certificates(file));
        all.insert(all.end(), some.begin(), some.end());
    }
    return all;
}

Result<Certificates> read_anchors(const std::vector<std::string>& files, const char* key, const char* hint)
{
    ACMETOOL_TRY(all, read_all(files));
    for (const auto& one : all)
        if (!crypto::is_self_signed(one))
            return fail(Errc::config, fmt::format("{}: {} is not self-signed", key, one.subject()), hint,
                        "rootNotSelfSigned");
    return all;
}

Result<void> check_key_updates(const CaFiles& files)
{
    auto known = files.roots;
    known.insert(known.end(), files.anchors.begin(), files.anchors.end());
    for (const auto& one : files.key_updates)
        if (!crypto::is_key_update(one, known) ||
            std::none_of(known.begin(), known.end(),
                         [&](const auto& root) { return one.is_issued_by(root); }))
            return fail(Errc::config,
                        fmt::format("key_updates: {}, issued by {}, leads from none of the roots and anchors "
                                    "to another one",
                                    one.subject(), one.issuer()),
                        "root has to list both roots; OldWithNew is the old root's key certified by the new "
                        "root, NewWithOld the reverse (RFC 4210 section 4.4)",
                        "notKeyUpdate");
    return {};
}

} // namespace

Result<CaFiles> read_ca_files(const CaCertsOptions& options)
{
    CaFiles files;
    ACMETOOL_TRY(roots, read_anchors(options.roots, "root",
                                     "root lists only root certificates of the CA behind the ACME server; "
                                     "other CA certificates belong to intermediates or key_updates"));
    files.roots = std::move(roots);
    ACMETOOL_TRY(anchors, read_anchors(options.anchors, "anchors", "anchors lists only root certificates"));
    files.anchors = std::move(anchors);
    ACMETOOL_TRY(intermediates, read_all(options.intermediates));
    for (const auto& one : intermediates)
        if (!crypto::is_ca(one) || crypto::is_self_signed(one))
            return fail(Errc::config,
                        fmt::format("intermediates: {} is not an intermediate CA certificate", one.subject()),
                        "a root certificate belongs to root or anchors", "notIntermediate");
    files.intermediates = std::move(intermediates);
    ACMETOOL_TRY(key_updates, read_all(options.key_updates));
    files.key_updates = std::move(key_updates);
    ACMETOOL_CHECK(check_key_updates(files));
    return files;
}

Certificates certificates_above(const Certificates& chain, const CaFiles& files)
{
    if (chain.empty()) return {};
    auto known = files.intermediates;
    known.insert(known.end(), files.roots.begin(), files.roots.end());
    known.insert(known.end(), files.anchors.begin(), files.anchors.end());
    auto whole = crypto::complete_chain(chain, known);
    const auto& last = whole.back();
    const bool is_there = std::any_of(whole.begin(), whole.end(), [&](const Certificate& one) {
        return crypto::is_key_update(one, known);
    });
    const auto update =
        std::find_if(files.key_updates.begin(), files.key_updates.end(), [&](const Certificate& one) {
            return last.is_issued_by(one) && one.sha256() != last.sha256();
        });
    if (!is_there && !crypto::is_self_signed(last) && update != files.key_updates.end())
        whole.push_back(*update);
    return {whole.begin() + static_cast<std::ptrdiff_t>(chain.size()), whole.end()};
}

Certificates anchor_in(const Certificates& chain)
{
    for (const auto& one : chain)
        if (crypto::is_self_signed(one) &&
            crypto::verify_path(chain.front(), chain, {{one}, {}, false}, crypto::PathPolicy::tls_server()))
            return {one};
    return {};
}

} // namespace acmetool::ra
