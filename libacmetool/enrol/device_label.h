#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "crypto/cert.h"

/// The left-most label of a device's name, derived from its serial number.
namespace acmetool::enrol
{

/// The label for a serial number: the serial in lower case if that is an LDH label of 1 to 63 characters
/// without "--" in positions 3 and 4, else "h-" and the first 52 characters of the SHA-256 of its octets in
/// base32hex (RFC 4648 section 7, lower case). Deterministic. Serials that differ only in case give the same
/// label, so the caller binds a label to the first device that has it.
ACMETOOL_EXPORT std::string device_label(std::string_view serial);

/// The fields of a manufacturer's certificates with the serial number of the device, of which the first
/// present is used (RFC 8995 section 2.3.1): attributes of the subject by name or OID, "commonName" or
/// "2.5.4.5", and "hardwareModuleName", the hwSerialNum of that subject alternative name (RFC 4108 section
/// 5). None: "serialNumber".
using SerialFields = std::vector<std::string>;

/// Errc::config if it is neither.
ACMETOOL_EXPORT Result<void> check_serial_field(const std::string& name);

/// The device's serial number from its manufacturer, as UTF-8; a hwSerialNum that is not visible ASCII is in
/// base64. bad_input, reason "noSerialNumber", if no field is present or one occurs more than once.
ACMETOOL_EXPORT Result<std::string> device_serial(const crypto::Certificate& idevid,
                                                  const SerialFields& fields = {});

/// A random label without information: "r-" and 26 characters of base32hex (128 random bits).
ACMETOOL_EXPORT std::string random_label();

} // namespace acmetool::enrol
