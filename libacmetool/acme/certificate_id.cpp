#include "acme/certificate_id.h"

#include "jose/base64url.h"

namespace acmetool::acme
{

std::optional<std::string> certificate_id(const crypto::Certificate& certificate)
{
    const Bytes issuer_key = certificate.authority_key_id();
    if (issuer_key.empty()) return std::nullopt;
    return jose::to_base64url(issuer_key) + "." + jose::to_base64url(certificate.serial_octets());
}

} // namespace acmetool::acme
