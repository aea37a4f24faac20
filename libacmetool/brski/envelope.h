#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "crypto/cert.h"
#include "crypto/cms.h"
#include "crypto/key.h"

/// What signs vouchers and voucher-requests: CMS (RFC 8366 section 5.4) or JWS
/// (draft-ietf-anima-jws-voucher).
namespace acmetool::brski
{

enum class Format { cms, jws };

inline constexpr std::string_view kCmsVoucher = "application/voucher-cms+json";
inline constexpr std::string_view kJwsVoucher = "application/voucher-jws+json";
ACMETOOL_EXPORT std::string_view media_type(Format format);
/// The format of a Content-Type, parameters and case aside.
ACMETOOL_EXPORT std::optional<Format> format_of(std::string_view content_type);
/// What a client that says `accept` wants (RFC 9110 section 12.5.1): the format with the greatest weight, and
/// `preferred` among equals. Nothing where it takes neither; an empty header takes all.
ACMETOOL_EXPORT std::optional<Format> choose_format(std::string_view accept, Format preferred);

inline constexpr std::size_t kLargestEnvelope = 128 * 1024; ///< octets

/// One signed document. Nothing is said of who signed it before verify_signature.
struct Envelope {
    Format format = Format::cms;
    Bytes octets;                                  ///< the whole, as it goes over the wire
    std::string content;                           ///< the JSON text that was signed
    std::vector<crypto::Certificate> certificates; ///< included certificates, in the order of the message
    /// The parsed CMS, so that its certificates are read only once: parsing their keys takes longer than a
    /// signature.
    std::optional<crypto::SignedData> message;
};

/// Reads a signed document. A CMS may be in base64, as some peers send it; the JWS is General JSON with one
/// signature. Errc::protocol, reason "badEnvelope".
ACMETOOL_EXPORT Result<Envelope> parse_envelope(ByteView octets, Format format);
/// The same if the format is unknown: a JSON object is a JWS.
ACMETOOL_EXPORT Result<Envelope> parse_envelope(ByteView octets);

/// Only the JSON text, for forwarding the document without trusting it. Errors as above.
ACMETOOL_EXPORT Result<std::string> unverified_content(ByteView octets, Format format);

/// Verifies the only signature and returns its signer followed by the included certificates, for building a
/// path. The signer is not trusted yet. `more` are additional certificates in which to find the signer.
/// Errc::protocol, reason "signature".
ACMETOOL_EXPORT Result<std::vector<crypto::Certificate>>
verify_signature(const Envelope& envelope, const std::vector<crypto::Certificate>& more = {});

/// The signer: `chain` begins with the certificate of `key` and is included in the document.
struct Signer {
    crypto::Key key;
    std::vector<crypto::Certificate> chain;
};

/// Signs `content`. Errc::config if key and certificate do not belong together.
ACMETOOL_EXPORT Result<Bytes> seal(std::string_view content, Format format, const Signer& signer);

} // namespace acmetool::brski
