#pragma once

#include <cstddef>
#include <optional>

#include "acmetool/export.h"
#include "base/bytes.h"
#include "base/result.h"
#include "crypto/digest.h"
#include "crypto/key.h"

/// Signatures over octets, without a container around them. `hash` is nothing for keys that hash by
/// themselves (Ed25519).
namespace acmetool::crypto
{

/// RSA: PKCS#1 version 1.5; ECDSA: ECDSA-Sig-Value in DER. Errc::config if the key cannot sign.
ACMETOOL_EXPORT Result<Bytes> make_signature(const Key& key, std::optional<Hash> hash, ByteView data);

/// Errc::bad_input if the signature is not the key's.
ACMETOOL_EXPORT Result<void> check_signature(const Key& key, std::optional<Hash> hash, ByteView data,
                                             ByteView signature);

/// R and S of an ECDSA-Sig-Value, each of `coordinate` octets (RFC 7518 section 3.4).
ACMETOOL_EXPORT Result<Bytes> ecdsa_pair(ByteView der, std::size_t coordinate);

/// The ECDSA-Sig-Value of such a pair; empty if it cannot be made.
ACMETOOL_EXPORT Bytes ecdsa_der(ByteView pair);

} // namespace acmetool::crypto
