#include "ra/ca_set.h"

#include <fmt/core.h>

#include "crypto/path.h"
#include "store/configured.h"

namespace acmetool::ra
{

Result<crypto::Certificate> CaSet::read_root(const std::string& path)
{
    ACMETOOL_TRY(found, store::read_configured_certificates(path));
    if (found.size() != 1 || !crypto::is_self_signed(found.front()))
        return fail(Errc::config, fmt::format("root {}: not one self-signed certificate", path),
                    "the file must contain only the root certificate of the CA behind the ACME server",
                    "rootNotSelfSigned");
    return found.front();
}

void CaSet::set_root(crypto::Certificate root)
{
    const std::lock_guard lock{mutex_};
    root_ = crypto::AnchorStore{{std::move(root)}};
    good_issuers_.clear();
    problem_.clear();
}

void CaSet::set_intermediates(const std::vector<Bytes>& ders, base::TimePoint now)
{
    std::vector<crypto::Certificate> found;
    for (const auto& der : ders)
        if (auto parsed = crypto::parse_certificates(as_text(der), "intermediate"))
            found.push_back(parsed->front());
    const std::lock_guard lock{mutex_};
    intermediates_.clear();
    for (const auto& candidate : found) {
        auto chain = found;
        chain.insert(chain.begin(), candidate);
        if (root_.empty() || root_.verify(chain, crypto::PathPolicy::issued(now)))
            intermediates_.push_back(candidate);
    }
}

std::vector<crypto::Certificate> CaSet::offered() const
{
    const std::lock_guard lock{mutex_};
    auto all = root_.certificates();
    all.insert(all.end(), intermediates_.begin(), intermediates_.end());
    return all;
}

Result<void> CaSet::check(const std::vector<crypto::Certificate>& chain, base::TimePoint now,
                          std::vector<crypto::Certificate>& intermediates)
{
    intermediates.clear();
    for (std::size_t i = 1; i < chain.size(); ++i)
        if (!crypto::is_self_signed(chain[i])) intermediates.push_back(chain[i]);
    crypto::AnchorStore root;
    {
        const std::lock_guard lock{mutex_};
        if (root_.empty()) return {};
        // The same intermediate as before: one signature instead of a whole path.
        if (!intermediates.empty() && good_issuers_.contains(intermediates.front().sha256()) &&
            chain.front().is_issued_by(intermediates.front()))
            return {};
        root = root_;
    }
    const auto verified = root.verify(chain, crypto::PathPolicy::issued(now));
    const std::lock_guard lock{mutex_};
    if (!verified) {
        problem_ =
            fmt::format("the CA's chain does not lead to the configured root: {}", verified.error().message);
        return fail(Errc::config, problem_,
                    "check that root is the root certificate of the CA behind the ACME server",
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
