#include "ra/ca_set.h"

#include <algorithm>

#include <fmt/core.h>

#include "crypto/path.h"

namespace acmetool::ra
{
namespace
{

using Certificates = std::vector<crypto::Certificate>;

void add(Certificates& all, const Certificates& more)
{
    for (const auto& one : more)
        if (std::none_of(all.begin(), all.end(),
                         [&](const auto& known) { return known.sha256() == one.sha256(); }))
            all.push_back(one);
}

} // namespace

/// What may lie between a certificate of the CA and a root.
Certificates CaSet::helpers() const
{
    auto all = of_chains_;
    add(all, files_.intermediates);
    add(all, files_.key_updates);
    return all;
}

void CaSet::refresh(base::TimePoint now)
{
    auto candidates = of_chains_;
    add(candidates, files_.intermediates);
    intermediates_.clear();
    for (const auto& candidate : candidates) {
        Certificates chain{candidate};
        add(chain, helpers());
        if (roots_.empty() || roots_.verify(chain, crypto::PathPolicy::issued(now)))
            intermediates_.push_back(candidate);
    }
    offered_ = files_.roots;
    add(offered_, files_.anchors);
    add(offered_, intermediates_);
    add(offered_, files_.key_updates);
}

void CaSet::set_files(CaFiles files, base::TimePoint now)
{
    const std::lock_guard lock{mutex_};
    files_ = std::move(files);
    roots_ = crypto::AnchorStore{files_.roots};
    good_issuers_.clear();
    problem_.clear();
    refresh(now);
}

void CaSet::set_intermediates(const std::vector<Bytes>& ders, base::TimePoint now)
{
    Certificates found;
    for (const auto& der : ders)
        if (auto parsed = crypto::parse_certificates(as_text(der), "intermediate"))
            found.push_back(parsed->front());
    const std::lock_guard lock{mutex_};
    of_chains_ = std::move(found);
    refresh(now);
}

Certificates CaSet::offered() const
{
    const std::lock_guard lock{mutex_};
    return offered_;
}

std::size_t CaSet::intermediates() const
{
    const std::lock_guard lock{mutex_};
    return intermediates_.size();
}

bool CaSet::has_issuer_of(const crypto::Certificate& certificate) const
{
    const auto is_issuer = [&](const auto& one) { return certificate.is_issued_by(one); };
    const std::lock_guard lock{mutex_};
    return std::any_of(intermediates_.begin(), intermediates_.end(), is_issuer) ||
           std::any_of(files_.roots.begin(), files_.roots.end(), is_issuer);
}

Result<Certificates> CaSet::path_of(Certificates chain, base::TimePoint now) const
{
    crypto::AnchorStore roots;
    {
        const std::lock_guard lock{mutex_};
        roots = roots_;
        add(chain, helpers());
    }
    return roots.verify(chain, crypto::PathPolicy::issued(now));
}

Result<void> CaSet::check(const Certificates& chain, base::TimePoint now, Certificates& intermediates)
{
    intermediates.clear();
    for (std::size_t i = 1; i < chain.size(); ++i)
        if (!crypto::is_self_signed(chain[i])) intermediates.push_back(chain[i]);
    {
        const std::lock_guard lock{mutex_};
        if (roots_.empty()) return {};
        // The same intermediate as before: one signature instead of a whole path.
        if (!intermediates.empty() && good_issuers_.contains(intermediates.front().sha256()) &&
            chain.front().is_issued_by(intermediates.front()))
            return {};
    }
    const auto verified = path_of(chain, now);
    const std::lock_guard lock{mutex_};
    if (!verified) {
        // Only what signed it: the rest is anybody's.
        intermediates = crypto::issuer_chain(chain.front(), chain, crypto::ChainEnd::below_root);
        intermediates.erase(intermediates.begin());
        problem_ =
            fmt::format("the CA's chain does not lead to a configured root: {}", verified.error().message);
        return fail(Errc::config, problem_,
                    "check that root in [cacerts] lists the root certificate of the CA behind the ACME "
                    "server; if that CA changes, add the new root beside the old one",
                    "rootMismatch");
    }
    problem_.clear();
    if (!intermediates.empty()) good_issuers_.insert(intermediates.front().sha256());
    return {};
}

std::string CaSet::problem() const
{
    const std::lock_guard lock{mutex_};
    return problem_;
}

} // namespace acmetool::ra
