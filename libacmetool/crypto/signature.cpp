#include "crypto/signature.h"

#include <openssl/ecdsa.h>

#include "crypto/hash_function.h"
#include "crypto/key_uri.h"
#include "crypto/openssl.h"

namespace acmetool::crypto
{
namespace
{

using EcdsaSignaturePtr = Owned<ECDSA_SIG, ECDSA_SIG_free>;

const EVP_MD* function_or_null(std::optional<Hash> hash)
{
    return hash ? function_of(*hash) : nullptr;
}

} // namespace

Result<Bytes> make_signature(const Key& key, std::optional<Hash> hash, ByteView data)
{
    const MdCtxPtr context{EVP_MD_CTX_new()};
    std::size_t size = 0;
    if (!context || start_signature(context.get(), function_or_null(hash), key) != 1 ||
        EVP_DigestSign(context.get(), nullptr, &size, data.data(), data.size()) != 1)
        return openssl_failure(Errc::config, "signing");
    Bytes signature(size);
    if (EVP_DigestSign(context.get(), signature.data(), &size, data.data(), data.size()) != 1)
        return openssl_failure(Errc::config, "signing");
    signature.resize(size);
    return signature;
}

Result<void> check_signature(const Key& key, std::optional<Hash> hash, ByteView data, ByteView signature)
{
    const MdCtxPtr context{EVP_MD_CTX_new()};
    if (!context ||
        EVP_DigestVerifyInit(context.get(), nullptr, function_or_null(hash), nullptr, key.get()) != 1 ||
        EVP_DigestVerify(context.get(), signature.data(), signature.size(), data.data(), data.size()) != 1)
        return openssl_failure(Errc::bad_input, "the signature does not verify");
    return {};
}

Result<Bytes> ecdsa_pair(ByteView der, std::size_t coordinate)
{
    const unsigned char* data = der.data();
    const EcdsaSignaturePtr pair{d2i_ECDSA_SIG(nullptr, &data, static_cast<long>(der.size()))};
    Bytes out(2 * coordinate);
    const int size = static_cast<int>(coordinate);
    if (!pair || BN_bn2binpad(ECDSA_SIG_get0_r(pair.get()), out.data(), size) != size ||
        BN_bn2binpad(ECDSA_SIG_get0_s(pair.get()), out.data() + coordinate, size) != size)
        return openssl_failure(Errc::internal, "encoding an ECDSA signature");
    return out;
}

Bytes ecdsa_der(ByteView pair)
{
    const auto half = pair.size() / 2;
    const EcdsaSignaturePtr signature{ECDSA_SIG_new()};
    BignumPtr r{BN_bin2bn(pair.data(), static_cast<int>(half), nullptr)};
    BignumPtr s{BN_bin2bn(pair.data() + half, static_cast<int>(half), nullptr)};
    if (!signature || !r || !s) return {};
    ECDSA_SIG_set0(signature.get(), r.release(), s.release());
    unsigned char* out = nullptr;
    const int size = i2d_ECDSA_SIG(signature.get(), &out);
    const OpensslMemory owned{out};
    return size > 0 ? Bytes(out, out + size) : Bytes{};
}

} // namespace acmetool::crypto
