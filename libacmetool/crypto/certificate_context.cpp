#include "crypto/certificate_context.h"

#include <algorithm>
#include <array>
#include <climits>
#include <string_view>
#include <vector>

#include <openssl/core_dispatch.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/provider.h>
#include <openssl/x509.h>

namespace acmetool::crypto
{
namespace
{

constexpr const char* kDefault = "default";
constexpr const char* kName = "certificates";
/// OpenSSL's names of the keys that certificates have.
constexpr std::array<std::string_view, 5> kTypes{"EC", "RSA", "RSA-PSS", "ED25519", "ED448"};

/// A provider that is OpenSSL's default one, with fewer decoders. It lives as long as the process.
class CertificateProvider
{
public:
    static OSSL_LIB_CTX* load()
    {
        // NOLINTNEXTLINE(cppcoreguidelines-owning-memory): OpenSSL may use it until its own end
        auto* const made = new CertificateProvider;
        return made->load_into_context() ? made->context_ : nullptr;
    }

private:
    bool load_into_context()
    {
        base_ = OSSL_PROVIDER_load(nullptr, kDefault);
        if (base_ == nullptr) return false;
        int not_kept = 0;
        const auto* all = OSSL_PROVIDER_query_operation(base_, OSSL_OP_DECODER, &not_kept);
        for (; all != nullptr && all->algorithm_names != nullptr; ++all)
            if (reads_public_key(*all)) decoders_.push_back(*all);
        decoders_.push_back({}); // their end
        instance_ = this;
        context_ = OSSL_LIB_CTX_new();
        return context_ != nullptr && decoders_.size() > kTypes.size() &&
               OSSL_PROVIDER_add_builtin(context_, kName, start) == 1 &&
               OSSL_PROVIDER_load(context_, kName) != nullptr;
    }

    static bool reads_public_key(const OSSL_ALGORITHM& decoder)
    {
        const std::string_view names{decoder.algorithm_names};
        const std::string_view properties{decoder.property_definition};
        return std::find(kTypes.begin(), kTypes.end(), names.substr(0, names.find(':'))) != kTypes.end() &&
               properties.find("input=der") != std::string_view::npos &&
               properties.find("structure=SubjectPublicKeyInfo") != std::string_view::npos;
    }

    // The calls of provider-base(7). Their context is that of the default provider, whose algorithms get it.
    static int start(const OSSL_CORE_HANDLE* /*handle*/, const OSSL_DISPATCH* /*core*/,
                     const OSSL_DISPATCH** calls, void** context)
    {
        static const std::array<OSSL_DISPATCH, 5> kCalls{
            {{OSSL_FUNC_PROVIDER_QUERY_OPERATION, reinterpret_cast<void (*)()>(query)},
             {OSSL_FUNC_PROVIDER_GETTABLE_PARAMS, reinterpret_cast<void (*)()>(gettable)},
             {OSSL_FUNC_PROVIDER_GET_PARAMS, reinterpret_cast<void (*)()>(get)},
             {OSSL_FUNC_PROVIDER_GET_CAPABILITIES, reinterpret_cast<void (*)()>(capabilities)},
             {0, nullptr}}};
        *calls = kCalls.data();
        *context = OSSL_PROVIDER_get0_provider_ctx(instance_->base_);
        return 1;
    }
    static const OSSL_ALGORITHM* query(void* /*context*/, int operation, int* not_kept)
    {
        if (operation != OSSL_OP_DECODER)
            return OSSL_PROVIDER_query_operation(instance_->base_, operation, not_kept);
        *not_kept = 0;
        return instance_->decoders_.data();
    }
    static const OSSL_PARAM* gettable(void* /*context*/)
    {
        return OSSL_PROVIDER_gettable_params(instance_->base_);
    }
    static int get(void* /*context*/, OSSL_PARAM* parameters)
    {
        return OSSL_PROVIDER_get_params(instance_->base_, parameters);
    }
    static int capabilities(void* /*context*/, const char* name, OSSL_CALLBACK* each, void* argument)
    {
        return OSSL_PROVIDER_get_capabilities(instance_->base_, name, each, argument);
    }

    static inline CertificateProvider* instance_ = nullptr;
    OSSL_PROVIDER* base_ = nullptr;
    OSSL_LIB_CTX* context_ = nullptr;
    std::vector<OSSL_ALGORITHM> decoders_;
};

std::string_view name_of(const OSSL_PROVIDER* provider)
{
    return OSSL_PROVIDER_get0_name(provider);
}

bool is_default_provider_alone()
{
    OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG, nullptr);
    // 0 ends the search.
    const auto is_default = [](OSSL_PROVIDER* provider, void* /*argument*/) {
        return name_of(provider) == kDefault ? 1 : 0;
    };
    return OSSL_PROVIDER_do_all(nullptr, is_default, nullptr) == 1;
}

} // namespace

OSSL_LIB_CTX* certificate_context()
{
    static OSSL_LIB_CTX* const kContext = [] {
        OSSL_LIB_CTX* const context = is_default_provider_alone() ? CertificateProvider::load() : nullptr;
        ERR_clear_error();
        return context;
    }();
    return kContext;
}

OSSL_LIB_CTX* certificate_context(const Key& key)
{
    const auto* const provider = EVP_PKEY_get0_provider(key.get());
    const bool elsewhere = provider != nullptr && name_of(provider) != kDefault && name_of(provider) != kName;
    return elsewhere ? nullptr : certificate_context();
}

std::optional<Certificate> read_certificate(const unsigned char** data, std::size_t size)
{
    if (size > INT_MAX) return std::nullopt;
    for (auto* context : {certificate_context(), static_cast<OSSL_LIB_CTX*>(nullptr)}) {
        const auto* at = *data;
        X509* x509 = X509_new_ex(context, nullptr);
        // A failure frees what it was to fill.
        if (x509 == nullptr || d2i_X509(&x509, &at, static_cast<long>(size)) == nullptr) break;
        auto read = Certificate::adopt(x509);
        if (context != nullptr && X509_get0_pubkey(x509) == nullptr) continue;
        *data = at;
        return read;
    }
    return std::nullopt;
}

} // namespace acmetool::crypto
