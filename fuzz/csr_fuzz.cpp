// PKCS#10 requests in PEM and DER, and what a registration authority reads of them beyond the signature.
// Beside OpenSSL's reader: both take the same outlines, keys and subjects.
#include <cstddef>
#include <cstdlib>
#include <string_view>

#include <openssl/x509.h>

#include "crypto/csr.h"
#include "crypto/der.h"
#include "crypto/openssl.h"
#include "crypto/request_info.h"
#include "crypto/request_parts.h"
#include "ra/csr_policy.h"

namespace
{

namespace crypto = acmetool::crypto;

/// Aborts if what OpenSSL takes for a request in DER has another key or subject here, or none.
void compare(acmetool::ByteView der)
{
    const auto* data = der.data();
    const crypto::ReqPtr request{d2i_X509_REQ(nullptr, &data, static_cast<long>(der.size()))};
    if (!request || data != der.data() + der.size() || !crypto::der::check_der(der)) return;
    // OpenSSL takes attributes, a SET OF, whose tag says that it is primitive.
    if (!crypto::read_request_parts(der)) return;
    crypto::PkeyPtr expected{X509_REQ_get_pubkey(request.get())};
    const auto key = crypto::requested_key(der);
    if (key.has_value() != (expected != nullptr)) std::abort();
    if (key && !key->same_public_key(crypto::Key::adopt(expected.release()))) std::abort();
    const auto subject = crypto::requested_subject(der);
    const unsigned char* name = nullptr;
    std::size_t size = 0;
    if (X509_NAME_get0_der(X509_REQ_get_subject_name(request.get()), &name, &size) != 1 || !subject ||
        acmetool::as_text({name, size}) != acmetool::as_text(*subject))
        std::abort();
}

} // namespace

extern "C" int fuzz_csr(const unsigned char* data, std::size_t size)
{
    compare({data, size});
    const std::string_view text{reinterpret_cast<const char*>(data), size};
    if (const auto csr = crypto::parse_csr(text)) {
        static_cast<void>(csr->to_pem().size());
        static_cast<void>(crypto::require_identifiers(*csr).has_value());
    }
    // A changed request has no right signature, so the octets go in as they are.
    static const auto key = crypto::generate_key("ec:P-256");
    const crypto::Csr unsigned_csr{.der = {data, data + size},
                                   .key = *key,
                                   .identifiers = {},
                                   .common_name = {},
                                   .other_names = {},
                                   .challenge_password = {}};
    static_cast<void>(acmetool::ra::judge_contents(unsigned_csr, {"2.5.4.10"}).refused.has_value());
    static_cast<void>(acmetool::ra::can_be_allowed(text));
    return 0;
}
