#include "crypto/anchor_store.h"

#include <fmt/core.h>
#include <openssl/x509_vfy.h>

#include "crypto/path_run.h"

namespace acmetool::crypto
{

AnchorStore::AnchorStore(std::vector<Certificate> anchors) : anchors_(std::move(anchors))
{
    if (anchors_.empty()) return;
    store_.reset(X509_STORE_new(), X509_STORE_free);
    for (const auto& anchor : anchors_)
        X509_STORE_add_cert(store_.get(), anchor.get());
}

Result<void> AnchorStore::verify(const std::vector<Certificate>& chain, const PathPolicy& policy) const
{
    if (!store_ || chain.empty()) return fail(Errc::refused, "no trust anchor for this certificate");
    ACMETOOL_TRY(run, run_path(store_.get(), chain.front(), std::span{chain}.subspan(1), policy));
    if (run.valid) return {};
    return fail(Errc::refused,
                fmt::format("{}: {}", chain.front().subject(),
                            X509_verify_cert_error_string(X509_STORE_CTX_get_error(run.context.get()))));
}

} // namespace acmetool::crypto
