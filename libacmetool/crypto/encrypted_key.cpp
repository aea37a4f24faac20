#include "crypto/encrypted_key.h"

#include <openssl/pem.h>

#include "crypto/openssl.h"

namespace acmetool::crypto
{

Result<std::string> to_encrypted_pem(const Key& key, const base::Secret& passphrase)
{
    const BioPtr bio{BIO_new(BIO_s_mem())};
    const auto text = passphrase.reveal();
    if (!bio || text.empty() ||
        PEM_write_bio_PKCS8PrivateKey(bio.get(), key.get(), EVP_aes_256_cbc(), text.data(),
                                      static_cast<int>(text.size()), nullptr, nullptr) != 1)
        return openssl_failure(Errc::internal, "encrypting a private key");
    return contents(bio.get());
}

} // namespace acmetool::crypto
