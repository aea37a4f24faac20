#pragma once

namespace acmetool::crypto
{

/// True if a signature with the digest of this NID is below kSecurityLevel, as with MD5 and SHA-1. For
/// signatures that OpenSSL does not compare with a security level: those of CRLs and CMS.
bool is_weak_digest(int nid);

} // namespace acmetool::crypto
