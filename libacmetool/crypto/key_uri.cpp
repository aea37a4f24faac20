#include "crypto/key_uri.h"

#include <algorithm>
#include <array>
#include <mutex>

#include <fmt/core.h>
#include <openssl/evp.h>
#include <openssl/provider.h>
#include <openssl/store.h>
#include <openssl/ui.h>
#include <openssl/x509.h>

#include "crypto/openssl.h"

namespace acmetool::crypto
{
namespace
{

using KeyStorePtr = Owned<OSSL_STORE_CTX, OSSL_STORE_close>;
using InfoPtr = Owned<OSSL_STORE_INFO, OSSL_STORE_INFO_free>;
using UiMethodPtr = Owned<UI_METHOD, UI_destroy_method>;

constexpr const char* kTpm = "tpm2";

/// The requirements of a scheme, for the hint of an error.
struct Scheme {
    std::string_view name;
    const char* provider; ///< loaded for it; null: OpenSSL's configuration must do so
    std::string_view hint;
};
constexpr std::array<Scheme, 3> kSchemes{
    {{"handle", kTpm,
      "required: the provider tpm2 (Debian: tpm2-openssl), a TPM (selected by TPM2OPENSSL_TCTI), and a "
      "persistent key at that handle"},
     {"object", kTpm,
      "required: the provider tpm2 (Debian: tpm2-openssl), a TPM (selected by TPM2OPENSSL_TCTI), and such a "
      "file"},
     {"pkcs11", nullptr,
      "required: a PKCS#11 provider for OpenSSL 3 (Debian 12 has none), configured in openssl.cnf(5)"}}};

std::string_view scheme_of(std::string_view uri)
{
    return uri.substr(0, uri.find(':'));
}

/// Loaded once and never unloaded, because keys refer to it. The default provider remains active.
void load_provider(const char* name)
{
    static std::mutex mutex;
    const std::lock_guard lock{mutex};
    if (OSSL_PROVIDER_available(nullptr, name) != 1) OSSL_PROVIDER_try_load(nullptr, name, 1);
}

} // namespace

bool is_key_uri(std::string_view text)
{
    const auto colon = text.find(':');
    if (colon == std::string_view::npos || colon < 2 || colon + 1 == text.size()) return false;
    const auto scheme = text.substr(0, colon);
    const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
    return letter(scheme.front()) && std::all_of(scheme.begin(), scheme.end(), [&](char c) {
               return letter(c) || (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
           });
}

Result<Key> load_key_uri(const std::string& uri, const base::Secret& passphrase)
{
    const auto name = scheme_of(uri);
    if (name == "file")
        return fail(Errc::config, fmt::format("key {}: a file must be given by its path", uri),
                    "omit the scheme", "keyUri");
    const auto* const known =
        std::find_if(kSchemes.begin(), kSchemes.end(), [&](const Scheme& s) { return s.name == name; });
    const bool is_known = known != kSchemes.end();
    if (is_known && known->provider != nullptr) load_provider(known->provider);
    const auto failed = [&](std::string_view what) {
        auto hint = is_known ? std::string{known->hint}
                             : fmt::format("required: a provider with a store for \"{}:\", configured in "
                                           "openssl.cnf(5); write a file with a colon in its name as ./NAME",
                                           name);
        auto failure = openssl_failure(Errc::config, fmt::format("key {}: {}", uri, what), std::move(hint));
        failure.value().reason = "keyUri";
        return failure;
    };
    const UiMethodPtr ui{UI_UTIL_wrap_read_pem_callback(give_passphrase, 0)};
    auto* const secret = const_cast<base::Secret*>(&passphrase); // only read
    const KeyStorePtr store{OSSL_STORE_open(uri.c_str(), ui.get(), secret, nullptr, nullptr)};
    if (!store) return failed("cannot be loaded");
    OSSL_STORE_expect(store.get(), OSSL_STORE_INFO_PKEY);
    while (OSSL_STORE_eof(store.get()) != 1) {
        const InfoPtr info{OSSL_STORE_load(store.get())};
        if (!info) break;
        if (OSSL_STORE_INFO_get_type(info.get()) != OSSL_STORE_INFO_PKEY) continue;
        if (auto* key = OSSL_STORE_INFO_get1_PKEY(info.get())) {
            static_cast<void>(openssl_failure(Errc::internal, {}));
            return Key::adopt(key);
        }
    }
    return failed("no private key found");
}

const char* properties_for(const Key& key)
{
    const auto* const provider = EVP_PKEY_get0_provider(key.get());
    if (provider == nullptr) return nullptr;
    const std::string_view name = OSSL_PROVIDER_get0_name(provider);
    if (name == kTpm) return "?provider=tpm2,tpm2.digest!=yes,tpm2.cipher!=yes";
    return name == "pkcs11" ? "?provider=pkcs11" : nullptr;
}

int start_signature(EVP_MD_CTX* context, const EVP_MD* digest, const Key& key)
{
    const auto* const properties = properties_for(key);
    if (properties == nullptr) return EVP_DigestSignInit(context, nullptr, digest, nullptr, key.get());
    return EVP_DigestSignInit_ex(context, nullptr, digest == nullptr ? nullptr : EVP_MD_get0_name(digest),
                                 nullptr, properties, key.get(), nullptr);
}

Result<void> sign_request(X509_REQ* request, const EVP_MD* digest, const Key& key)
{
    const MdCtxPtr context{EVP_MD_CTX_new()};
    if (!context || start_signature(context.get(), digest, key) != 1 ||
        X509_REQ_sign_ctx(request, context.get()) <= 0)
        return openssl_failure(Errc::config, "signing the request");
    return {};
}

} // namespace acmetool::crypto
