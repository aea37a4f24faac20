#include "crypto/anchor_store.h"

#include <openssl/x509_vfy.h>

#include "crypto/path_memory.h"
#include "crypto/path_run.h"

namespace acmetool::crypto
{

AnchorStore::AnchorStore(std::vector<Certificate> anchors) : anchors_(std::move(anchors))
{
    if (anchors_.empty()) return;
    store_.reset(X509_STORE_new(), X509_STORE_free);
    for (const auto& anchor : anchors_)
        X509_STORE_add_cert(store_.get(), anchor.get());
    name_ = PathMemory::name_of_anchors(anchors_);
}

Result<std::vector<Certificate>> AnchorStore::verify(const std::vector<Certificate>& chain,
                                                     const PathPolicy& policy) const
{
    if (!store_ || chain.empty())
        return fail(Errc::refused, "no trust anchor for this certificate", {}, "path");
    auto& memory = PathMemory::instance();
    auto name = PathMemory::name_of(name_, chain, policy);
    if (name)
        if (auto known = memory.find(*name)) return std::move(*known);
    ACMETOOL_TRY(path, run_path(store_.get(), chain.front(), std::span{chain}.subspan(1), policy));
    if (name) memory.add(std::move(*name), path);
    return std::move(path);
}

bool AnchorStore::is_above(const std::vector<Certificate>& chain) const
{
    return store_ && !chain.empty() &&
           is_signed_path(store_.get(), chain.front(), std::span{chain}.subspan(1));
}

} // namespace acmetool::crypto
