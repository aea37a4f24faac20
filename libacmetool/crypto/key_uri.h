#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "base/secret.h"
#include "crypto/key.h"

using EVP_MD = struct evp_md_st;
using EVP_MD_CTX = struct evp_md_ctx_st;
using X509_REQ = struct X509_req_st;

/// Keys that lie elsewhere than in a file, named by URI: "handle:0x81000001" of a TPM, or whatever a provider
/// of OpenSSL has a store for. They sign where they are; nothing takes them out.
namespace acmetool::crypto
{

/// True for a scheme of two characters or more, a colon, and something after it (RFC 3986 section 3.1).
/// "./a:b" is a file.
ACMETOOL_EXPORT bool is_key_uri(std::string_view text);

/// Loads the private key that `uri` names; "handle:" and "object:" load the tpm2 provider, others have to be
/// there by OpenSSL's configuration. `passphrase` is the PIN or authorization value; empty: there is none.
///
/// Errors: config, naming the provider that is missing. file: is refused, as a file's mode has to be looked
/// at.
ACMETOOL_EXPORT Result<Key> load_key_uri(const std::string& uri, const base::Secret& passphrase = {});

/// The property query by which OpenSSL signs with `key` where it is: without one it would take the public
/// half to its default provider, and miss the private one there. Null for keys of the default provider.
/// Digests and ciphers stay with that.
const char* properties_for(const Key& key);

/// EVP_DigestSignInit() with those properties; 1 on success, as there.
int start_signature(EVP_MD_CTX* context, const EVP_MD* digest, const Key& key);
/// X509_REQ_sign() likewise. Errors: config.
Result<void> sign_request(X509_REQ* request, const EVP_MD* digest, const Key& key);

} // namespace acmetool::crypto
