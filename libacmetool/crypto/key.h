#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "base/secret.h"

using EVP_PKEY = struct evp_pkey_st;

namespace acmetool::crypto
{

/// A public key, possibly with its private half. Copies share the same key object.
///
/// An elliptic curve key has several encodings: the point may be compressed, and the curve may be written
/// out. Decisions use the canonical encoding, in which each key has one digest: revocation, owners and
/// identities find the key whatever form it comes in. Only digests that another protocol defines over the
/// octets of a certificate or request use encoded_spki(): the subjectKeyIdentifier (RFC 5280 section 4.2.1.2)
/// and the domainID without one (RFC 8995 section 5.8.2). RFC 9773 and SHA-256 of a certificate use no key.
class ACMETOOL_EXPORT Key
{
public:
    /// Takes ownership of `pkey`, which is not null.
    static Key adopt(EVP_PKEY* pkey);

    /// The OpenSSL object, borrowed; for crypto/, jose/ and TLS code.
    EVP_PKEY* get() const { return pkey_.get(); }

    /// "ec:P-256", "ec:P-384", "ec:P-521", "rsa:2048", "ed25519"; "other" for types that we do not create,
    /// and for a curve that is not named.
    std::string type() const;
    /// True for an elliptic curve that is written out. RFC 5480 section 2.1.1: "specifiedCurve ... MUST NOT
    /// be used in PKIX".
    bool has_explicit_curve() const;
    bool has_private() const;
    /// SubjectPublicKeyInfo, DER (RFC 5280 section 4.1.2.7), in its canonical form: a curve by its name, a
    /// point uncompressed. A curve without a name stays as it is.
    Bytes spki() const;
    /// SHA-256 over spki().
    Bytes spki_sha256() const;
    /// SubjectPublicKeyInfo in the form in which the key was received.
    Bytes encoded_spki() const;
    /// True if both are the same public key, in any form.
    bool same_public_key(const Key& other) const;
    /// The private key as unencrypted PKCS#8 PEM (RFC 5958).
    Result<base::Secret> to_pem() const;

private:
    std::shared_ptr<EVP_PKEY> pkey_;
};

/// Creates a key: ec:P-256, ec:P-384, ec:P-521, rsa:2048 to rsa:4096, ed25519. Other words are Errc::usage.
ACMETOOL_EXPORT Result<Key> generate_key(std::string_view type);

/// Parses a private key, PEM (PKCS#8, SEC1, PKCS#1) or DER. `what` names it in the message. An encrypted key
/// is decrypted with `passphrase`; without one, it is an error that says so. Errc::config if it is not a key.
ACMETOOL_EXPORT Result<Key> parse_private_key(std::string_view text, std::string_view what,
                                              const base::Secret& passphrase = {});

} // namespace acmetool::crypto
