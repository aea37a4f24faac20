#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "enrol/registration_authority.h"

/// CSR attributes: what a CSR is to hold (RFC 7030 section 4.5.2, RFC 8951 section 4, RFC 9908).
namespace acmetool::est
{

/// One attribute of a relative distinguished name that the subject is to have.
struct RequestedName {
    std::string oid;  ///< dotted decimal
    std::string name; ///< "CN", "serialNumber", or the OID where it has no name
    Bytes value;      ///< the value as DER, type included; empty: the client fills it
    bool open() const { return value.empty(); }
};

/// One X.509 extension that the CSR is to ask for.
struct RequestedExtension {
    std::string oid;
    bool critical = false;
    std::optional<Bytes> value; ///< extnValue's content; none: the client fills it
};

/// What a response asks for. OIDs and attributes that are not understood are in `ignored` alone.
struct ACMETOOL_EXPORT CsrAttrs {
    bool from_template =
        false;            ///< all of this comes from the template, and the rest was not looked at (CSR-10)
    std::string key_type; ///< "ec:P-256", "rsa:4096", "ed25519", "ec" or "rsa" (any size), else "ec:" or
                          ///< "other:" and an OID; empty: not asked
    std::string digest;   ///< of the CSR's signature: "sha256", "sha384", "sha512"; empty: not asked
    bool challenge_password = false;                                ///< the channel binding is asked for
    std::optional<std::vector<std::vector<RequestedName>>> subject; ///< RDNs; nothing: the client's choice
    std::vector<RequestedExtension> extensions;                     ///< SAN included, as it came
    std::vector<std::string> ignored;                               ///< OIDs, dotted decimal

    bool empty() const; ///< nothing is asked
};

/// Parses a CsrAttrs in DER; at most 64 KiB. No octets, and an empty SEQUENCE, ask for nothing.
///
/// With a certificationRequestInfoTemplate everything else is ignored (RFC 9908 section 4).
/// Errc::protocol, reason "csrattrs", and a sentence that says which rule is broken where the DER or the
/// template is malformed.
ACMETOOL_EXPORT Result<CsrAttrs> parse_csrattrs(ByteView der);

/// The CsrAttrs for one peer in DER: the attributes of RFC 7030 and, for clients that know RFC 9908, the
/// template, with the same SAN, key type and extensions in both (INT-05).
///
/// Without identifiers there is no SAN in it; nothing to ask for gives the empty SEQUENCE. The extensions
/// named by OID alone go into an id-aa-extensionReqTemplate, and into the legacy form as bare OIDs.
/// Errc::config for a key type or OID that cannot be written.
ACMETOOL_EXPORT Result<Bytes> to_csrattrs(const enrol::CsrAttributes& attributes);

} // namespace acmetool::est
