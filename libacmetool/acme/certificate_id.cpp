#include "acme/certificate_id.h"

#include "base/base64url.h"

namespace acmetool::acme
{

std::optional<std::string> certificate_id(const crypto::Certificate& certificate)
{
    const Bytes issuer_key = certificate.authority_key_id();
    if (issuer_key.empty()) return std::nullopt;
    return base::to_base64url(issuer_key) + "." + base::to_base64url(certificate.serial_octets());
}

} // namespace acmetool::acme
