#pragma once

#include <memory>
#include <string_view>

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/result.h"
#include "base/time.h"

/// Ownership of OpenSSL objects. Raw pointers appear only inside crypto/ and in the TLS code.
namespace acmetool::crypto
{

/// Stateless deleter: the pointer remains one word wide.
template <auto Free>
struct Deleter {
    template <class T>
    void operator()(T* p) const noexcept
    {
        Free(p);
    }
};
template <class T, auto Free>
using Owned = std::unique_ptr<T, Deleter<Free>>;

inline void free_openssl_memory(void* p) noexcept
{
    OPENSSL_free(p);
}
inline void free_extension_stack(STACK_OF(X509_EXTENSION) * p) noexcept
{
    sk_X509_EXTENSION_pop_free(p, X509_EXTENSION_free);
}
inline void free_attribute_stack(STACK_OF(X509_ATTRIBUTE) * p) noexcept
{
    sk_X509_ATTRIBUTE_pop_free(p, X509_ATTRIBUTE_free);
}

using BioPtr = Owned<BIO, BIO_free_all>;
using BignumPtr = Owned<BIGNUM, BN_free>;
using PkeyPtr = Owned<EVP_PKEY, EVP_PKEY_free>;
using PkeyCtxPtr = Owned<EVP_PKEY_CTX, EVP_PKEY_CTX_free>;
using MdCtxPtr = Owned<EVP_MD_CTX, EVP_MD_CTX_free>;
using X509Ptr = Owned<X509, X509_free>;
using X509CrlPtr = Owned<X509_CRL, X509_CRL_free>;
using ReqPtr = Owned<X509_REQ, X509_REQ_free>;
using NamePtr = Owned<X509_NAME, X509_NAME_free>;
using AttributePtr = Owned<X509_ATTRIBUTE, X509_ATTRIBUTE_free>;
using AttributesPtr = Owned<STACK_OF(X509_ATTRIBUTE), free_attribute_stack>;
using ExtensionPtr = Owned<X509_EXTENSION, X509_EXTENSION_free>;
using ExtensionsPtr = Owned<STACK_OF(X509_EXTENSION), free_extension_stack>;
using GeneralNamesPtr = Owned<GENERAL_NAMES, GENERAL_NAMES_free>;
using OpensslMemory = Owned<unsigned char, free_openssl_memory>;

/// Moves OpenSSL's error queue into a failure: "<message>: <what it means>" (openssl_words.h).
tl::unexpected<Error> openssl_failure(Errc code, std::string_view message, std::string hint = {});

/// An object identifier in dotted decimal; empty if it is longer than 255 characters.
std::string dotted(const ASN1_OBJECT* object);

/// A string in UTF-8; empty if it is empty, or of a type without characters.
std::string utf8_of(const ASN1_STRING* string);

/// A name in RFC 2253 order, for people.
std::string name_text(const X509_NAME* name);
/// The epoch if there is no time, or one that cannot be read.
base::TimePoint time_of(const ASN1_TIME* time);

/// A pem_password_cb: returns the base::Secret at `context`, and fails if it is empty, so that OpenSSL never
/// prompts.
int give_passphrase(char* buffer, int size, int writing, void* context);

/// A memory BIO that reads `text` without a copy.
BioPtr memory_bio(std::string_view text);
/// The content of a memory BIO.
std::string contents(BIO* bio);

} // namespace acmetool::crypto
