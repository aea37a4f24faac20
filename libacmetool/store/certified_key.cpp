#include "store/certified_key.h"

#include <filesystem>

#include "base/secret.h"
#include "store/atomic_file.h"

namespace acmetool::store
{

Result<std::vector<crypto::Certificate>> read_certificates(const std::string& file)
{
    ACMETOOL_TRY(pem, read_file(file));
    return crypto::parse_certificates(pem, file);
}

Result<std::optional<CertifiedKey>> load_certified_key(const std::string& base)
{
    std::error_code none;
    if (!std::filesystem::exists(base + ".pem", none)) return std::optional<CertifiedKey>{};
    ACMETOOL_TRY(certificates, read_certificates(base + ".pem"));
    ACMETOOL_TRY(key_text, read_file(base + ".key"));
    const base::Secret secret{std::move(key_text)};
    ACMETOOL_TRY(key, crypto::parse_private_key(secret.reveal(), base + ".key"));
    return std::optional<CertifiedKey>{CertifiedKey{certificates.front(), std::move(key)}};
}

Result<void> save_certified_key(const std::string& base, const CertifiedKey& pair, const std::string& chain)
{
    ACMETOOL_TRY(key_pem, pair.key.to_pem());
    ACMETOOL_CHECK(write_atomically(base + ".key", key_pem.reveal(), 0600));
    return write_atomically(base + ".pem", pair.certificate.to_pem() + chain, 0644);
}

} // namespace acmetool::store
