#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "crypto/cert.h"
#include "crypto/path.h"

using X509_STORE = struct x509_store_st;

/// The only calls of X509_verify_cert(). `others` are the certificates that may lie between. RFC 5280 section
/// 6.1.1 (d): an anchor is a name and a key, and need not be self-signed.
namespace acmetool::crypto
{

/// Errors: as verify_path().
Result<std::vector<Certificate>> run_path(X509_STORE* anchors, const Certificate& certificate,
                                          std::span<const Certificate> others, const PathPolicy& policy);

/// AnchorStore::is_above().
bool is_signed_path(X509_STORE* anchors, const Certificate& certificate, std::span<const Certificate> others);

/// The certificate that is wrong, for messages: "CN=x at depth 1".
std::string place_in_path(const std::string& subject, int depth);

} // namespace acmetool::crypto
