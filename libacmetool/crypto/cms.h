#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "crypto/cert.h"
#include "crypto/key.h"

/// Cryptographic Message Syntax, only SignedData (RFC 5652 section 5): transport of certificates, and signed
/// content.
using CMS_ContentInfo = struct CMS_ContentInfo_st;

namespace acmetool::crypto
{

/// The maximum size of a message, in octets.
inline constexpr std::size_t kLargestCms = 256 * 1024;

/// A certs-only message in DER: no content, no signer, the certificates in the order given
/// (RFC 5272 section 4.1, RFC 7030 section 4.1.3).
ACMETOOL_EXPORT Result<Bytes> to_certs_only(const std::vector<Certificate>& certificates);

/// The certificates of a certs-only message in its order, which need not be that of the chain.
///
/// Accepts signers and content of type id-data, and a bare certificate in DER, which some servers send. At
/// least one and at most 100 certificates, at most kLargestCms octets. Errc::protocol, reason "notCertsOnly".
ACMETOOL_EXPORT Result<std::vector<Certificate>> parse_certs_only(ByteView der);

/// The content to sign.
struct SignedDataOptions {
    std::string content_type;              ///< dotted decimal, "1.3.6.1.5.5.7.12.3"
    Bytes content;                         ///< eContent, unchanged
    std::vector<Certificate> certificates; ///< sent with the signer's, which need not be included
};

/// A SignedData with one signer in DER: the content is inside, content-type, signing-time and message-digest
/// are signed attributes, and the key determines the digest. Errc::config if key and certificate do not
/// belong together.
ACMETOOL_EXPORT Result<Bytes> sign_data(const Key& key, const Certificate& signer,
                                        const SignedDataOptions& options);

/// A parsed message whose signatures are not verified; see verify_signed_data.
struct SignedData {
    std::shared_ptr<CMS_ContentInfo> message; ///< OpenSSL's object; one thread at a time
    std::string content_type;                 ///< dotted decimal
    Bytes content;                            ///< empty if the content is detached or missing
    std::vector<Certificate> certificates;
    std::size_t signers = 0;
};

/// Reads a SignedData, DER or BER, at most kLargestCms octets and 100 certificates. Errc::protocol, reason
/// "notSignedData".
ACMETOOL_EXPORT Result<SignedData> parse_signed_data(ByteView der);

/// The content of a message, for forwarding it without trusting it.
struct SignedContent {
    std::string content_type; ///< dotted decimal
    Bytes content;
};
/// Reads the content of a SignedData in DER; ignores certificates and signatures. Errc::protocol, reason
/// "notSignedData".
ACMETOOL_EXPORT Result<SignedContent> parse_signed_content(ByteView der);

/// Checks every signature of the message and returns the signers' certificates, in the signers' order.
///
/// `more` are additional certificates in which to find signers. The caller decides whether a signer is
/// trusted: no path is built and no purpose is checked. Errc::protocol, reason "cmsSignature", if a signature
/// is wrong or made with MD5 or SHA-1, a signer's certificate is missing, or there is no signer.
ACMETOOL_EXPORT Result<std::vector<Certificate>>
verify_signed_data(const SignedData& message, const std::vector<Certificate>& more = {});

} // namespace acmetool::crypto
