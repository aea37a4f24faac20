#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "crypto/cert.h"
#include "crypto/key.h"

/// Errors of an enrolment as a CMC Full PKI Response (RFC 7030 section 4.2.3, RFC 5272 sections 4.2 and 6.1).
namespace acmetool::est
{

/// CMCFailInfo (RFC 5272 section 6.1.4); the values are those on the wire.
enum class CmcFailInfo {
    badAlg = 0,
    badMessageCheck = 1,
    badRequest = 2,
    badTime = 3,
    badCertId = 4,
    unsupportedExt = 5,
    mustArchiveKeys = 6,
    badIdentity = 7,
    popRequired = 8,
    popFailed = 9,
    noKeyReuse = 10,
    internalCAError = 11,
    tryLater = 12,
    authDataFail = 13,
};

/// "badIdentity"; "failInfo 99" for unknown values.
ACMETOOL_EXPORT std::string name_of(CmcFailInfo info);

struct CmcError {
    int status = 2;                            ///< cMCStatus (RFC 5272 section 6.1.3): 2 is "failed"
    std::optional<CmcFailInfo> fail_info;      ///< may be a number without a name
    std::string text;                          ///< statusString; may be empty
    bool verified = false;                     ///< it has a correct signature, by any signer
    std::optional<crypto::Certificate> signer; ///< set where `verified`

    /// "badIdentity: identifier not under a controlled domain", for people.
    std::string describe() const;
};

/// A PKIResponse with one statusInfoV2 (failed), signed by the registration authority, in DER. Contains
/// `chain` and the signer's certificate.
ACMETOOL_EXPORT Result<Bytes> to_cmc_error(CmcFailInfo info, std::string_view text, const crypto::Key& key,
                                           const crypto::Certificate& signer,
                                           const std::vector<crypto::Certificate>& chain = {});

/// Reads a Full PKI Response: statusInfoV2 or statusInfo, signed or not, also a bare PKIResponse without CMS.
/// Returns the first status that is not "success". At most 256 KiB. Errc::protocol, reason "notCmc".
ACMETOOL_EXPORT Result<CmcError> parse_cmc_error(ByteView der);

} // namespace acmetool::est
