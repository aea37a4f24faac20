#include "brski-pledge/discovery.h"

#include <algorithm>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "brski/discovery.h"
#include "dns/local_domain.h"
#include "dns/name.h"

namespace acmetool::cli
{
namespace
{

using Candidates = std::vector<brski::Candidate>;

/// For a registrar while there are others to try.
constexpr std::chrono::minutes kTurn{10};

/// --domain, or that of this host; empty if neither exists.
Result<std::string> domain_of(const DeviceOptions& options, Io& io)
{
    if (!options.domain.empty()) return dns::normalize_name(options.domain);
    const auto local = dns::local_domain();
    if (!local) {
        io.context().log(base::Level::info, "DNS is not asked for registrars: " + local.error().message);
        return std::string{};
    }
    io.context().log(base::Level::info,
                     fmt::format("the local domain is {} by {}", local->name, local->source));
    return local->name;
}

Result<Candidates> in_domain(const std::string& domain, Io& io)
{
    if (domain.empty()) return Candidates{};
    return brski::discover_in_domain(domain, io.context());
}

Error none_found()
{
    return Error{
        .code = Errc::unavailable,
        .message = "no registrar was found",
        .hint = "is this host on the right network? give the registrar with --registrar, the interface with "
                "--interface, or the domain with --domain",
        .reason = "noRegistrar",
        .problem_type = {},
        .problem = {},
        .retry_after = {}};
}

/// True if another registrar would not help.
bool is_own_fault(const Error& error)
{
    return error.code == Errc::interrupted || error.code == Errc::config || error.code == Errc::usage ||
           error.code == Errc::internal || error.code == Errc::io;
}

/// Tries registrars in turn.
class Turns
{
public:
    Turns(const brski::PledgeOptions& pledge, Io& io) : pledge_(pledge), io_(io) {}

    /// Nothing if none of them has a valid voucher. `others`: more registrars may be found.
    Result<std::optional<Vouched>> try_all(const Candidates& candidates, bool others)
    {
        for (const auto& candidate : candidates) {
            io_.context().log(base::Level::info,
                              fmt::format("trying the registrar {}, {}", candidate.url, candidate.source));
            auto attempt = pledge_;
            if (others || &candidate != &candidates.back())
                attempt.deadline = std::min<std::chrono::milliseconds>(attempt.deadline, kTurn);
            auto vouched = voucher_from(candidate.url, attempt, io_);
            if (vouched) return std::optional<Vouched>{std::move(*vouched)};
            last_ = std::move(vouched).error();
            if (is_own_fault(*last_)) return fail(*last_);
            io_.context().log(base::Level::warning,
                              fmt::format("the registrar {} has no voucher for this device: {}",
                                          candidate.url, last_->message));
        }
        return std::optional<Vouched>{};
    }
    const std::optional<Error>& last() const { return last_; }

private:
    const brski::PledgeOptions& pledge_;
    Io& io_;
    std::optional<Error> last_;
};

} // namespace

Result<Vouched> voucher_from(const std::string& place, const brski::PledgeOptions& pledge, Io& io)
{
    ACMETOOL_TRY(reply, brski::request_voucher(place, pledge, io.context()));
    auto verdict = brski::check(reply, pledge, io.context());
    const auto lines = explained(verdict.report);
    for (const auto& line : base::split(lines, '\n'))
        if (!line.empty()) io.context().log(base::Level::info, line);
    if (!verdict.report.good()) {
        // The reason must not help a hostile registrar (RFC 8995 section 5.7).
        static_cast<void>(brski::send_status(*reply.transport, reply.origin, "voucher_status",
                                             {false, "voucher not accepted", ""}, io.context()));
        return fail(verdict.report.error("voucher"));
    }
    return Vouched{std::move(reply), std::move(verdict)};
}

Result<Vouched> voucher_by_discovery(const DeviceOptions& options, const brski::PledgeOptions& pledge, Io& io)
{
    ACMETOOL_TRY(domain, domain_of(options, io));
    Turns turns{pledge, io};
    ACMETOOL_TRY(near, brski::discover_on_links(options.interfaces, io.context()));
    ACMETOOL_TRY(first, turns.try_all(near, !domain.empty()));
    if (first) return std::move(*first);
    // RFC 8995 appendix A.2: DNS is asked "if all local discovery attempts fail".
    auto far = in_domain(domain, io);
    if (!far) return fail(turns.last().value_or(far.error()));
    ACMETOOL_TRY(second, turns.try_all(*far, false));
    if (second) return std::move(*second);
    return fail(turns.last().value_or(none_found()));
}

Result<void> list_discovered(const DeviceOptions& options, Io& io)
{
    ACMETOOL_TRY(domain, domain_of(options, io));
    ACMETOOL_TRY(found, brski::discover_on_links(options.interfaces, io.context()));
    const auto far = in_domain(domain, io);
    if (!far && found.empty()) return fail(far.error());
    if (!far) io.context().log(base::Level::warning, far.error().message);
    if (far) found.insert(found.end(), far->begin(), far->end());
    if (found.empty()) return fail(none_found());
    std::string lines;
    base::Json list = base::Json::array();
    for (const auto& candidate : found) {
        lines += candidate.url + "\n";
        list.push_back({{"url", candidate.url}, {"source", candidate.source}});
    }
    return io.json() ? io.write_document("registrars", {{"registrars", std::move(list)}}) : io.write(lines);
}

} // namespace acmetool::cli
