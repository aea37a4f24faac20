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
    std::vector<crypto::Certificate> certificates; ///< sent along, in the order of the message
    /// Of a CMS, so that its certificates are read once: their keys take longer than a signature.
    std::optional<crypto::SignedData> message;
};

/// Reads a signed document. A CMS may come in base64, as some peers send it; the JWS is General JSON with one
/// signature. Errc::protocol, reason "badEnvelope".
ACMETOOL_EXPORT Result<Envelope> parse_envelope(ByteView octets, Format format);
/// The same where nothing tells the format: a JSON object is a JWS.
ACMETOOL_EXPORT Result<Envelope> parse_envelope(ByteView octets);

/// The JSON text alone, for who passes the document on and believes nothing of it. Errors as above.
ACMETOOL_EXPORT Result<std::string> unverified_content(ByteView octets, Format format);

/// Checks the one signature and returns its signer with what was sent along, the signer first, as material
/// for a path. Nobody is believed yet. `more` are certificates to look for the signer in. Errc::protocol,
/// reason "signature".
ACMETOOL_EXPORT Result<std::vector<crypto::Certificate>>
verify_signature(const Envelope& envelope, const std::vector<crypto::Certificate>& more = {});

/// Who signs: `chain` begins with the certificate of `key`, and all of it is sent along.
struct Signer {
    crypto::Key key;
    std::vector<crypto::Certificate> chain;
};

/// Signs `content`. Errc::config where key and certificate do not belong together.
ACMETOOL_EXPORT Result<Bytes> seal(std::string_view content, Format format, const Signer& signer);

} // namespace acmetool::brski
