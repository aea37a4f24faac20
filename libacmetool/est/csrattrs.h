#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "enrol/registration_authority.h"

/// CSR attributes: the required content of a CSR (RFC 7030 section 4.5.2, RFC 8951 section 4, RFC 9908).
namespace acmetool::est
{

/// One attribute of a relative distinguished name of the requested subject.
struct RequestedName {
    std::string oid;  ///< dotted decimal
    std::string name; ///< "CN", "serialNumber", or the OID if it has no name
    Bytes value;      ///< the value as DER with its type; empty: the client provides it
    bool open() const { return value.empty(); }
};

/// One X.509 extension for the CSR.
struct RequestedExtension {
    std::string oid;
    bool critical = false;
    std::optional<Bytes> value; ///< extnValue's content; none: the client provides it
};

/// The content of a response. Unknown OIDs and attributes are only in `ignored`.
struct ACMETOOL_EXPORT CsrAttrs {
    bool from_template = false; ///< everything comes from the template, and the rest was ignored (CSR-10)
    std::string key_type; ///< "ec:P-256", "rsa:4096", "ed25519", "ec" or "rsa" (any size), else "ec:" or
                          ///< "other:" and an OID; empty: not requested
    std::string digest;   ///< of the CSR's signature: "sha256", "sha384", "sha512"; empty: not requested
    bool challenge_password = false;                                ///< the channel binding is requested
    std::optional<std::vector<std::vector<RequestedName>>> subject; ///< RDNs; nothing: the client's choice
    std::vector<RequestedExtension> extensions;                     ///< including the SAN, as received
    std::vector<std::string> ignored;                               ///< OIDs, dotted decimal

    bool empty() const; ///< nothing is requested
};

/// Parses a CsrAttrs in DER; at most 64 KiB. An empty input and an empty SEQUENCE request nothing.
///
/// With a certificationRequestInfoTemplate everything else is ignored (RFC 9908 section 4).
/// Errc::protocol, reason "csrattrs", if the DER or the template is malformed, with a sentence that names the
/// violated rule.
ACMETOOL_EXPORT Result<CsrAttrs> parse_csrattrs(ByteView der);

/// The CsrAttrs for one peer in DER: the attributes of RFC 7030 and, for clients that know RFC 9908, the
/// template, with the same SAN, key type and extensions in both (INT-05).
///
/// Without identifiers it contains no SAN; without any requirement it is the empty SEQUENCE. Extensions given
/// only by OID are written into an id-aa-extensionReqTemplate, and as bare OIDs in the legacy form.
/// Errc::config for a key type or OID that cannot be encoded.
ACMETOOL_EXPORT Result<Bytes> to_csrattrs(const enrol::CsrAttributes& attributes);

} // namespace acmetool::est
