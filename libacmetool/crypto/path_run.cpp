#include "crypto/path_run.h"

namespace acmetool::crypto
{
namespace
{

/// The stack counts no references: the certificates outlive it.
inline void free_borrowing_stack(STACK_OF(X509) * stack) noexcept
{
    sk_X509_free(stack);
}
using BorrowingStack = Owned<STACK_OF(X509), free_borrowing_stack>;

} // namespace

Result<PathRun> run_path(X509_STORE* anchors, const Certificate& certificate,
                         std::span<const Certificate> others, const PathPolicy& policy)
{
    const BorrowingStack untrusted{sk_X509_new_null()};
    PathRun run{StoreCtxPtr{X509_STORE_CTX_new()}, false};
    if (!untrusted || !run.context) return openssl_failure(Errc::internal, "preparing to verify a path");
    for (const auto& other : others)
        sk_X509_push(untrusted.get(), other.get());
    auto* const context = run.context.get();
    if (X509_STORE_CTX_init(context, anchors, certificate.get(), untrusted.get()) != 1)
        return openssl_failure(Errc::internal, "preparing to verify a path");
    if (policy.purpose == Purpose::tls_server) X509_STORE_CTX_set_default(context, "ssl_server");
    X509_VERIFY_PARAM* const parameters = X509_STORE_CTX_get0_param(context);
    X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_TRUSTED_FIRST);
    if (policy.at) X509_VERIFY_PARAM_set_time(parameters, policy.at->time_since_epoch().count());
    run.valid = X509_verify_cert(context) == 1;
    X509_STORE_CTX_set0_untrusted(context, nullptr);        // borrowed, and gone when this returns
    static_cast<void>(openssl_failure(Errc::internal, {})); // the verdict is in the context
    return run;
}

} // namespace acmetool::crypto
