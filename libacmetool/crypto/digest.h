#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <initializer_list>

#include "acmetool/export.h"
#include "base/bytes.h"
#include "base/result.h"

/// Digests, MACs and randomness: no other file calls OpenSSL for them.
namespace acmetool::crypto
{

enum class Hash { md5, sha1, sha256, sha384, sha512 };

/// SHA-256 of `data`: 32 octets.
ACMETOOL_EXPORT Bytes sha256(ByteView data);

/// The digest of all parts in a row. Errc::internal if OpenSSL's configuration excludes the function (MD5 in
/// FIPS mode).
ACMETOOL_EXPORT Result<Bytes> digest(Hash hash, std::initializer_list<ByteView> parts);

/// HMAC (RFC 2104), as long as the digest. Errors as digest().
ACMETOOL_EXPORT Result<Bytes> hmac(Hash hash, ByteView key, ByteView data);

/// True if both are the same; the time that it takes depends only on their sizes.
ACMETOOL_EXPORT bool equal_in_constant_time(ByteView one, ByteView other);

/// `count` octets of OpenSSL's generator. Ends the process if the generator fails.
ACMETOOL_EXPORT Bytes random_bytes(std::size_t count);

/// A number from the same source, any value of the type being as likely.
template <std::unsigned_integral T>
T random_number()
{
    T number = 0;
    const auto octets = random_bytes(sizeof number);
    std::copy(octets.begin(), octets.end(), reinterpret_cast<std::uint8_t*>(&number));
    return number;
}

} // namespace acmetool::crypto
