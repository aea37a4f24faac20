#include "crypto/anchor_store.h"

#include <fmt/core.h>
#include <openssl/err.h>
#include <openssl/x509_vfy.h>

#include "crypto/openssl.h"

namespace acmetool::crypto
{
namespace
{

using StoreCtxPtr = Owned<X509_STORE_CTX, X509_STORE_CTX_free>;
inline void free_borrowed_stack(STACK_OF(X509) * stack) noexcept
{
    sk_X509_free(stack); // does not own the certificates
}
using BorrowedStack = Owned<STACK_OF(X509), free_borrowed_stack>;

} // namespace

AnchorStore::AnchorStore(std::vector<Certificate> anchors) : anchors_(std::move(anchors))
{
    if (anchors_.empty()) return;
    store_.reset(X509_STORE_new(), X509_STORE_free);
    for (const auto& anchor : anchors_)
        X509_STORE_add_cert(store_.get(), anchor.get());
}

Result<void> AnchorStore::verify(const std::vector<Certificate>& chain, base::TimePoint now) const
{
    if (!store_ || chain.empty()) return fail(Errc::refused, "no trust anchor for this certificate");
    const StoreCtxPtr context{X509_STORE_CTX_new()};
    const BorrowedStack others{sk_X509_new_null()};
    if (!context || !others) return openssl_failure(Errc::internal, "path validation");
    for (std::size_t i = 1; i < chain.size(); ++i)
        sk_X509_push(others.get(), chain[i].get());
    if (X509_STORE_CTX_init(context.get(), store_.get(), chain.front().get(), others.get()) != 1)
        return openssl_failure(Errc::internal, "path validation");
    X509_VERIFY_PARAM* parameters = X509_STORE_CTX_get0_param(context.get());
    X509_VERIFY_PARAM_set_time(parameters, now.time_since_epoch().count());
    X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_PARTIAL_CHAIN);
    const bool good = X509_verify_cert(context.get()) == 1;
    ERR_clear_error();
    if (good) return {};
    return fail(Errc::refused,
                fmt::format("{}: {}", chain.front().subject(),
                            X509_verify_cert_error_string(X509_STORE_CTX_get_error(context.get()))));
}

} // namespace acmetool::crypto
