#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "brski/audit_log.h"
#include "crypto/cert.h"
#include "registrar/options.h"
#include "registrar/records.h"

/// Whether the documents of a MASA are of use to the registrar.
namespace acmetool::registrar
{

struct AcceptedVoucher {
    std::string type;          ///< media type
    std::string pinned_domain; ///< domainID of what it pins
};
/// The registrar does not alter a voucher. It checks that it is for this device and request, and that it pins
/// the domain of `registrar`, its own chain (RFC 8995 section 5.6). The pledge verifies the signature.
/// Errors: protocol.
Result<AcceptedVoucher> accept_voucher(const Record& record,
                                       const std::vector<crypto::Certificate>& registrar, ByteView octets,
                                       const std::string& type);

/// The domainID that the record's voucher pins.
Result<std::string> pinned_domain(const Record& record, const std::vector<crypto::Certificate>& registrar);

/// Whether an audit log lets the device in (RFC 8995 section 5.8.3). Errors: refused, protocol.
Result<void> accept_log(const Options& options, const brski::OwnVouchers& own, std::string_view text);

} // namespace acmetool::registrar
