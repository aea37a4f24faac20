#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "crypto/cert.h"
#include "crypto/key.h"

/// Cryptographic Message Syntax, SignedData alone (RFC 5652 section 5): certificates on their way, and
/// content that somebody signed.
using CMS_ContentInfo = struct CMS_ContentInfo_st;

namespace acmetool::crypto
{

/// The largest message that is read, in octets.
inline constexpr std::size_t kLargestCms = 256 * 1024;

/// A certs-only message in DER: no content, no signer, the certificates in the order given
/// (RFC 5272 section 4.1, RFC 7030 section 4.1.3).
ACMETOOL_EXPORT Result<Bytes> to_certs_only(const std::vector<Certificate>& certificates);

/// The certificates of a certs-only message, in the order of the message, which says nothing about the chain.
///
/// Takes signers and content of type id-data along with them, and one bare certificate in DER, as some
/// servers send. At least one certificate, at most 100, kLargestCms octets. Errc::protocol, reason
/// "notCertsOnly".
ACMETOOL_EXPORT Result<std::vector<Certificate>> parse_certs_only(ByteView der);

/// What is to be signed.
struct SignedDataOptions {
    std::string content_type;              ///< dotted decimal, "1.3.6.1.5.5.7.12.3"
    Bytes content;                         ///< eContent, as it is
    std::vector<Certificate> certificates; ///< sent along with the signer's, which need not be in here
};

/// A SignedData with one signer in DER: the content is inside, content-type, signing-time and message-digest
/// are signed attributes, the digest follows the key. Errc::config where key and certificate do not belong
/// together.
ACMETOOL_EXPORT Result<Bytes> sign_data(const Key& key, const Certificate& signer,
                                        const SignedDataOptions& options);

/// A message as it was read. Nothing is said about who signed it: see verify_signed_data.
struct SignedData {
    std::shared_ptr<CMS_ContentInfo> message; ///< as OpenSSL read it; one thread at a time
    std::string content_type;                 ///< dotted decimal
    Bytes content;                            ///< empty where the content is detached or missing
    std::vector<Certificate> certificates;
    std::size_t signers = 0;
};

/// Reads a SignedData, DER or BER, at most kLargestCms octets and 100 certificates. Errc::protocol, reason
/// "notSignedData".
ACMETOOL_EXPORT Result<SignedData> parse_signed_data(ByteView der);

/// What a message says, for who passes it on and believes nothing of it.
struct SignedContent {
    std::string content_type; ///< dotted decimal
    Bytes content;
};
/// Reads the content of a SignedData in DER and leaves certificates and signatures alone. Errc::protocol,
/// reason "notSignedData".
ACMETOOL_EXPORT Result<SignedContent> parse_signed_content(ByteView der);

/// Checks every signature of the message and returns the signers' certificates, in the signers' order.
///
/// `more` are certificates to look for signers in, besides those of the message. Whether a signer is to be
/// believed is the caller's question: no path is built and no purpose is looked at. Errc::protocol, reason
/// "cmsSignature", where a signature is wrong, a signer's certificate is missing, or nobody signed.
ACMETOOL_EXPORT Result<std::vector<Certificate>>
verify_signed_data(const SignedData& message, const std::vector<Certificate>& more = {});

} // namespace acmetool::crypto
