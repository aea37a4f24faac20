#include "crypto/path_run.h"

#include <algorithm>

#include <fmt/core.h>
#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "base/time.h"
#include "crypto/crl.h"
#include "crypto/openssl.h"

namespace acmetool::crypto
{
namespace
{

/// Paths that are tried if one of several fails: whoever sends certificates must not cause much work.
constexpr std::size_t kMostPaths = 8;
constexpr std::size_t kMostSteps = 500; ///< of the search for them
constexpr std::size_t kLongestPath = 10;

constexpr std::string_view kExplicitCurve = "the key has explicit curve parameters instead of a curve's name";

using StoreCtxPtr = Owned<X509_STORE_CTX, X509_STORE_CTX_free>;

/// These stacks count no references: what is in them outlives them.
inline void free_borrowing_stack(STACK_OF(X509) * stack) noexcept
{
    sk_X509_free(stack);
}
inline void free_borrowing_crls(STACK_OF(X509_CRL) * stack) noexcept
{
    sk_X509_CRL_free(stack);
}
using BorrowingStack = Owned<STACK_OF(X509), free_borrowing_stack>;
using BorrowingCrls = Owned<STACK_OF(X509_CRL), free_borrowing_crls>;

/// A context of OpenSSL's path validation, and what it borrows. run() may be called once.
class Validation
{
public:
    static Result<Validation> prepare(X509_STORE* anchors, const Certificate& certificate,
                                      std::span<const Certificate> others, const PathPolicy& policy)
    {
        Validation made;
        made.others_.reset(sk_X509_new_null());
        made.context_.reset(X509_STORE_CTX_new());
        if (!made.others_ || !made.context_)
            return openssl_failure(Errc::internal, "preparing to verify a path");
        for (const auto& other : others)
            sk_X509_push(made.others_.get(), other.get());
        auto* const context = made.context_.get();
        if (X509_STORE_CTX_init(context, anchors, certificate.get(), made.others_.get()) != 1)
            return openssl_failure(Errc::internal, "preparing to verify a path");
        if (policy.purpose == Purpose::tls_server) X509_STORE_CTX_set_default(context, "ssl_server");
        X509_VERIFY_PARAM* const parameters = made.parameters();
        X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_TRUSTED_FIRST);
        X509_VERIFY_PARAM_set_auth_level(parameters, kSecurityLevel);
        made.now_ = policy.clock ? policy.at.value_or(base::now()) : certificate.not_before();
        X509_VERIFY_PARAM_set_time(parameters, made.now_.time_since_epoch().count());
        return made;
    }

    X509_STORE_CTX* get() const { return context_.get(); }
    X509_VERIFY_PARAM* parameters() const { return X509_STORE_CTX_get0_param(context_.get()); }
    bool run()
    {
        const bool valid = X509_verify_cert(context_.get()) == 1;
        static_cast<void>(openssl_failure(Errc::internal, {})); // the verdict is in the context
        return valid;
    }
    /// The end entity first, the anchor last.
    std::vector<Certificate> path() const
    {
        std::vector<Certificate> path;
        const STACK_OF(X509)* chain = X509_STORE_CTX_get0_chain(context_.get());
        for (int i = 0; i < sk_X509_num(chain); ++i) {
            X509* const x509 = sk_X509_value(chain, i);
            if (X509_up_ref(x509) == 1) path.push_back(Certificate::adopt(x509));
        }
        return path;
    }
    /// The certificate that is wrong, "CN=x at depth 1".
    std::string place() const
    {
        X509* const at = X509_STORE_CTX_get_current_cert(context_.get());
        return place_in_path(at == nullptr ? std::string{} : name_text(X509_get_subject_name(at)),
                             X509_STORE_CTX_get_error_depth(context_.get()));
    }
    int error() const { return X509_STORE_CTX_get_error(context_.get()); }
    std::string_view cause() const
    {
        if (error() == X509_V_ERR_EC_KEY_EXPLICIT_PARAMS) return kExplicitCurve;
        return X509_verify_cert_error_string(error());
    }
    base::TimePoint now() const { return now_; }
    /// True if the store has a certificate with the name of this one's issuer.
    bool has_issuer_of(const Certificate& certificate) const
    {
        X509* found = nullptr;
        const bool has = X509_STORE_CTX_get1_issuer(&found, context_.get(), certificate.get()) == 1;
        X509_free(found);
        ERR_clear_error();
        return has;
    }

private:
    BorrowingStack others_; ///< destroyed after the context
    StoreCtxPtr context_;
    base::TimePoint now_{};
};

using Certificates = std::vector<Certificate>;

/// The ways from an end entity up to an anchor, by the names and key identifiers of their certificates.
class Ways
{
public:
    Ways(const Validation& anchors, std::span<const Certificate> others) : anchors_(anchors), others_(others)
    {
    }

    /// Each is what lies between the end entity and an anchor.
    std::vector<Certificates> from(const Certificate& certificate)
    {
        extend(certificate);
        return std::move(found_);
    }

private:
    void extend(const Certificate& top)
    {
        if (++steps_ > kMostSteps || found_.size() >= kMostPaths) return;
        if (anchors_.has_issuer_of(top)) {
            found_.push_back(way_);
            return;
        }
        if (way_.size() >= kLongestPath || X509_check_issued(top.get(), top.get()) == X509_V_OK) return;
        for (const auto& other : others_) {
            if (X509_check_issued(other.get(), top.get()) != X509_V_OK || is_on_way(other)) continue;
            way_.push_back(other);
            extend(other);
            way_.pop_back();
        }
    }
    bool is_on_way(const Certificate& other) const
    {
        return std::any_of(way_.begin(), way_.end(),
                           [&](const auto& one) { return X509_cmp(one.get(), other.get()) == 0; });
    }

    const Validation& anchors_;
    std::span<const Certificate> others_;
    Certificates way_;
    std::vector<Certificates> found_;
    std::size_t steps_ = 0;
};

/// True if two of them have one name, so that there can be several paths.
bool has_alternatives(std::span<const Certificate> others)
{
    for (std::size_t i = 0; i < others.size(); ++i)
        for (std::size_t k = i + 1; k < others.size(); ++k)
            if (X509_NAME_cmp(X509_get_subject_name(others[i].get()),
                              X509_get_subject_name(others[k].get())) == 0)
                return true;
    return false;
}

/// The other possible paths than the one that OpenSSL chose among `others`.
std::vector<Certificates> alternatives(X509_STORE* anchors, const Certificate& certificate,
                                       std::span<const Certificate> others)
{
    if (!has_alternatives(others)) return {};
    const auto names = Validation::prepare(anchors, certificate, others, {});
    return names ? Ways{*names, others}.from(certificate) : std::vector<Certificates>{};
}

/// What counts as valid although OpenSSL objects.
struct Grace {
    base::TimePoint now;
    std::chrono::seconds time{0}; ///< PathPolicy::grace

    bool covers(X509_STORE_CTX* context) const
    {
        if (time.count() == 0 || X509_STORE_CTX_get_error(context) != X509_V_ERR_CERT_HAS_EXPIRED ||
            X509_STORE_CTX_get_error_depth(context) != 0)
            return false;
        return now - time <= crypto::time_of(X509_get0_notAfter(X509_STORE_CTX_get_current_cert(context)));
    }
};

int judge_time(int good, X509_STORE_CTX* context)
{
    if (good == 1) return 1;
    if (!static_cast<const Grace*>(X509_STORE_CTX_get_app_data(context))->covers(context)) return 0;
    X509_STORE_CTX_set_error(context, X509_V_OK);
    return 1;
}

bool is_missing(int error)
{
    return error == X509_V_ERR_UNABLE_TO_GET_CRL || error == X509_V_ERR_UNABLE_TO_GET_CRL_ISSUER;
}

/// There is no CRL, or none that is valid now.
bool is_stale(int error)
{
    return is_missing(error) || error == X509_V_ERR_CRL_HAS_EXPIRED || error == X509_V_ERR_CRL_NOT_YET_VALID;
}

/// What happens to problems with CRLs during X509_verify_cert(), which forgets their CRL at its end.
struct CrlJudge {
    Grace grace;
    StaleCrl stale;
    const X509_CRL* crl = nullptr; ///< of the last problem
    std::string since;             ///< revoked since; may be empty
};

std::string revocation_date(X509_STORE_CTX* context)
{
    X509_REVOKED* entry = nullptr;
    X509_CRL* const crl = X509_STORE_CTX_get0_current_crl(context);
    if (crl == nullptr || X509_CRL_get0_by_cert(crl, &entry, X509_STORE_CTX_get_current_cert(context)) == 0)
        return {};
    return " since " + base::to_rfc3339(time_of(X509_REVOKED_get0_revocationDate(entry)));
}

int judge_crl(int good, X509_STORE_CTX* context)
{
    if (good == 1) return 1;
    auto& judge = *static_cast<CrlJudge*>(X509_STORE_CTX_get_app_data(context));
    const int error = X509_STORE_CTX_get_error(context);
    if (judge.grace.covers(context)) {
        X509_STORE_CTX_set_error(context, X509_V_OK);
        return 1;
    }
    const bool above = X509_STORE_CTX_get_error_depth(context) > 0; // CRLs of higher CAs need not be there
    if ((is_stale(error) && judge.stale == StaleCrl::accept) ||
        ((is_missing(error) || error == X509_V_ERR_DIFFERENT_CRL_SCOPE) && above)) {
        X509_STORE_CTX_set_error(context, X509_V_OK);
        return 1;
    }
    judge.crl = X509_STORE_CTX_get0_current_crl(context);
    if (error == X509_V_ERR_CERT_REVOKED) judge.since = revocation_date(context);
    return 0;
}

tl::unexpected<Error> stale(const Validation& run, const std::string& dropped)
{
    X509* const at = X509_STORE_CTX_get_current_cert(run.get());
    const auto issuer = at == nullptr ? std::string{} : name_text(X509_get_issuer_name(at));
    const int error = X509_STORE_CTX_get_error(run.get());
    return fail(Errc::temporary,
                fmt::format("revocation cannot be checked: {} of {}{} ({})",
                            is_missing(error) ? "there is no CRL" : run.cause(), issuer, dropped,
                            run.place()),
                "provide the current CRL of this issuer", "crlStale");
}

/// Whether a certificate of a valid path is revoked. A CRL that cannot be used, for example because its
/// issuer did not sign it, is left out and the rest decides.
Result<void> check_revocation(X509_STORE* anchors, const Certificate& certificate,
                              std::span<const Certificate> others, const PathPolicy& policy)
{
    auto crls = policy.crls->current();
    std::string dropped;
    for (;;) {
        const BorrowingCrls given{sk_X509_CRL_new_null()};
        if (!given) return openssl_failure(Errc::internal, "preparing to check a CRL");
        for (const auto& crl : crls)
            sk_X509_CRL_push(given.get(), crl.get());
        ACMETOOL_TRY(run, Validation::prepare(anchors, certificate, others, policy));
        CrlJudge judge{{run.now(), policy.grace}, policy.crls->stale(), nullptr, {}};
        X509_STORE_CTX_set0_crls(run.get(), given.get());
        X509_STORE_CTX_set_app_data(run.get(), &judge);
        X509_STORE_CTX_set_verify_cb(run.get(), judge_crl);
        X509_VERIFY_PARAM_set_flags(run.parameters(), X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
        if (run.run()) return {};
        const int error = X509_STORE_CTX_get_error(run.get());
        if (error == X509_V_ERR_CERT_REVOKED)
            return fail(Errc::refused,
                        fmt::format("the certificate is revoked{} ({})", judge.since, run.place()), {},
                        Cause::revoked);
        if (is_stale(error)) return stale(run, dropped);
        const auto bad = std::find_if(crls.begin(), crls.end(),
                                      [&judge](const Crl& crl) { return crl.get() == judge.crl; });
        if (bad == crls.end())
            return fail(Errc::refused, fmt::format("{} ({})", run.cause(), run.place()), {}, "path");
        dropped = fmt::format("; one cannot be used: {}", run.cause());
        crls.erase(bad);
    }
}

/// Forgives all but what shows that the path does not lead to an anchor.
int judge_signatures(int good, X509_STORE_CTX* context)
{
    if (good == 1) return 1;
    switch (X509_STORE_CTX_get_error(context)) {
    case X509_V_ERR_UNSPECIFIED:
    case X509_V_ERR_OUT_OF_MEM:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_UNABLE_TO_DECRYPT_CERT_SIGNATURE:
    case X509_V_ERR_UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_CERT_CHAIN_TOO_LONG:
        return 0;
    default:
        return 1;
    }
}

} // namespace

std::string place_in_path(const std::string& subject, int depth)
{
    return fmt::format("{} at depth {}", subject.empty() ? "a certificate without subject" : subject, depth);
}

namespace
{

tl::unexpected<Error> objection(const Validation& run)
{
    X509* const at = X509_STORE_CTX_get_current_cert(run.get());
    std::string when;
    if (at != nullptr && X509_up_ref(at) == 1) {
        const auto is_time =
            run.error() == X509_V_ERR_CERT_HAS_EXPIRED || run.error() == X509_V_ERR_CERT_NOT_YET_VALID;
        const auto certificate = Certificate::adopt(at);
        if (is_time) when = time_fault(certificate, run.now());
    }
    if (when.empty())
        return fail(Errc::refused, fmt::format("{} ({})", run.cause(), run.place()), {}, "path");
    return fail(Errc::refused, fmt::format("{} ({}): {}", run.cause(), run.place(), when),
                "if this clock is right, the certificate must be replaced; else set the clock", "path");
}

/// True if no path was found at all, which is what a wrong turn at a cross certificate leads to.
bool ends_nowhere(int error)
{
    return error == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT ||
           error == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY ||
           error == X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE ||
           error == X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN || error == X509_V_ERR_CERT_CHAIN_TOO_LONG;
}

struct Attempt {
    Result<Certificates> path;
    bool ends_nowhere = false;
};

/// RFC 5480 section 2.1.1: "implicitCurve and specifiedCurve MUST NOT be used in PKIX." OpenSSL has the same
/// rule, but not for a path of one certificate.
Result<void> check_curves(const Certificates& path)
{
    for (std::size_t depth = 0; depth < path.size(); ++depth)
        if (path[depth].public_key().has_explicit_curve())
            return fail(Errc::refused,
                        fmt::format("{} ({})", kExplicitCurve,
                                    place_in_path(path[depth].subject(), static_cast<int>(depth))),
                        {}, "path");
    return {};
}

Attempt attempt(X509_STORE* anchors, const Certificate& certificate, std::span<const Certificate> others,
                const PathPolicy& policy)
{
    auto run = Validation::prepare(anchors, certificate, others, policy);
    if (!run) return {fail(run.error())};
    Grace grace{run->now(), policy.grace};
    X509_STORE_CTX_set_app_data(run->get(), &grace);
    X509_STORE_CTX_set_verify_cb(run->get(), judge_time);
    if (!run->run()) return {objection(*run), ends_nowhere(run->error())};
    auto path = run->path();
    if (auto good = check_curves(path); !good) return {fail(good.error())};
    if (auto good = check_purpose(certificate, policy.purpose); !good) return {fail(good.error())};
    // Only now: verifying a large CRL is work that no stranger may cause.
    if (policy.crls)
        if (auto good = check_revocation(anchors, certificate, std::span{path}.subspan(1), policy); !good)
            return {fail(good.error())};
    return {std::move(path)};
}

bool has_signed_path(X509_STORE* anchors, const Certificate& certificate, std::span<const Certificate> others)
{
    auto run = Validation::prepare(anchors, certificate, others, {});
    if (!run) return false;
    X509_VERIFY_PARAM_set_auth_level(run->parameters(), 0);
    X509_VERIFY_PARAM_set_flags(run->parameters(), X509_V_FLAG_NO_CHECK_TIME);
    X509_STORE_CTX_set_verify_cb(run->get(), judge_signatures);
    return run->run();
}

} // namespace

Result<std::vector<Certificate>> run_path(X509_STORE* anchors, const Certificate& certificate,
                                          std::span<const Certificate> others, const PathPolicy& policy)
{
    auto best = attempt(anchors, certificate, others, policy);
    if (best.path) return std::move(best.path);
    for (const auto& way : alternatives(anchors, certificate, others)) {
        auto next = attempt(anchors, certificate, way, policy);
        if (next.path) return std::move(next.path);
        // What is wrong with a path to an anchor says more than that another one ends before.
        if (best.ends_nowhere) best = std::move(next);
    }
    return std::move(best.path);
}

bool is_signed_path(X509_STORE* anchors, const Certificate& certificate, std::span<const Certificate> others)
{
    if (has_signed_path(anchors, certificate, others)) return true;
    const auto ways = alternatives(anchors, certificate, others);
    return std::any_of(ways.begin(), ways.end(),
                       [&](const auto& way) { return has_signed_path(anchors, certificate, way); });
}

} // namespace acmetool::crypto
