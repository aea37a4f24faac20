#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "base/secret.h"
#include "crypto/key.h"

using EVP_MD = struct evp_md_st;
using EVP_MD_CTX = struct evp_md_ctx_st;
using X509_REQ = struct X509_req_st;

/// Keys outside of files, identified by URI: "handle:0x81000001" of a TPM, or any URI for which a provider of
/// OpenSSL has a store. They never leave their device.
namespace acmetool::crypto
{

/// True for a scheme of at least two characters, a colon, and something after it (RFC 3986 section 3.1).
/// "./a:b" is a file.
ACMETOOL_EXPORT bool is_key_uri(std::string_view text);

/// Loads the private key of `uri`. "handle:" and "object:" load the tpm2 provider; others must be activated
/// by OpenSSL's configuration. `passphrase` is the PIN or authorization value; empty: there is none.
///
/// Errors: config, with the missing provider. Refuses file:, because the mode of a file must be checked.
ACMETOOL_EXPORT Result<Key> load_key_uri(const std::string& uri, const base::Secret& passphrase = {});

/// The property query with which OpenSSL signs in the provider of `key`: without it, OpenSSL would export the
/// public half to its default provider and lack the private half there. Null for keys of the default
/// provider, which also computes digests and ciphers.
const char* properties_for(const Key& key);

/// EVP_DigestSignInit() with those properties; 1 on success, as there.
int start_signature(EVP_MD_CTX* context, const EVP_MD* digest, const Key& key);
/// X509_REQ_sign() with the same properties. Errors: config.
Result<void> sign_request(X509_REQ* request, const EVP_MD* digest, const Key& key);

} // namespace acmetool::crypto
