#pragma once

#include <openssl/x509_vfy.h>

#include "crypto/openssl.h"
#include "crypto/path.h"

namespace acmetool::crypto
{

using StoreCtxPtr = Owned<X509_STORE_CTX, X509_STORE_CTX_free>;

/// One run of OpenSSL's path validation: its verdict, and the context with the path or what is wrong.
struct PathRun {
    StoreCtxPtr context;
    bool valid = false;
};

/// The only call of X509_verify_cert(). `others` are the certificates that may lie between. RFC 5280
/// section 6.1.1 (d): an anchor is a name and a key, and need not be self-signed.
Result<PathRun> run_path(X509_STORE* anchors, const Certificate& certificate,
                         std::span<const Certificate> others, const PathPolicy& policy);

} // namespace acmetool::crypto
