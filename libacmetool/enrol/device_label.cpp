#include "enrol/device_label.h"

#include <algorithm>
#include <optional>

#include <fmt/core.h>

#include "base/base64url.h"
#include "base/text.h"
#include "crypto/der.h"
#include "crypto/digest.h"
#include "crypto/subject.h"

namespace acmetool::enrol
{
namespace
{

constexpr std::size_t kLongestLabel = 63;

/// RFC 4648 section 7 in lower case, as names are written, without padding.
std::string to_base32hex(ByteView bytes)
{
    constexpr std::string_view kAlphabet = "0123456789abcdefghijklmnopqrstuv";
    std::string text;
    std::uint32_t bits = 0;
    int count = 0;
    for (const auto octet : bytes) {
        bits = (bits << 8U | octet) & 0xffffU;
        for (count += 8; count >= 5; count -= 5)
            text += kAlphabet[bits >> (count - 5) & 31U];
    }
    if (count > 0) text += kAlphabet[bits << (5 - count) & 31U];
    return text;
}

bool is_label(std::string_view text)
{
    const bool ldh = std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
    });
    return ldh && !text.empty() && text.size() <= kLongestLabel && text.front() != '-' &&
           text.back() != '-' && (text.size() < 4 || text.substr(2, 2) != "--");
}

constexpr std::string_view kHardwareModuleName = "hardwareModuleName";
constexpr const char* kIdOnHardwareModuleName = "1.3.6.1.5.5.7.8.4";

tl::unexpected<Error> no_serial(const crypto::Certificate& idevid, std::string_view how_many,
                                std::string_view field)
{
    return fail(Errc::bad_input,
                fmt::format("subject {} has {} {}", base::printable(idevid.subject()), how_many, field),
                "a device's certificate names it in the serialNumber attribute, or where the configuration "
                "says (RFC 8995 section 2.3.1)",
                "noSerialNumber");
}

/// An attribute of the subject; nothing if it has none of this type.
Result<std::optional<std::string>> attribute(const crypto::Certificate& idevid, const std::string& field)
{
    auto values = crypto::subject_values(idevid, field);
    if (values.empty()) return std::optional<std::string>{};
    if (values.size() > 1) return no_serial(idevid, "several", field);
    if (!values.front())
        return fail(Errc::bad_input, fmt::format("the {} of the subject is not text", field), {},
                    "noSerialNumber");
    return std::move(values.front());
}

/// HardwareModuleName ::= SEQUENCE { hwType OBJECT IDENTIFIER, hwSerialNum OCTET STRING }
Result<std::string> hardware_serial_of(ByteView module_name)
{
    namespace der = crypto::der;
    der::Reader outer{module_name};
    ACMETOOL_TRY(sequence, outer.expect(der::kSequence, "HardwareModuleName"));
    der::Reader members{sequence.value};
    ACMETOOL_CHECK(members.expect(der::kOid, "hwType"));
    ACMETOOL_TRY(serial, members.expect(der::kOctetString, "hwSerialNum"));
    const auto text = as_text(serial.value);
    if (!text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; }))
        return std::string{text};
    return base::to_base64(serial.value);
}

/// The hwSerialNum in the subject alternative name; nothing if there is none.
Result<std::optional<std::string>> hardware_serial(const crypto::Certificate& idevid)
{
    std::optional<std::string> found;
    for (const auto& value : crypto::other_names(idevid, kIdOnHardwareModuleName)) {
        if (value.front() != crypto::der::kSequence) continue;
        if (found) return no_serial(idevid, "several", kHardwareModuleName);
        auto serial = hardware_serial_of(value);
        if (!serial) return no_serial(idevid, "a malformed", kHardwareModuleName);
        found = std::move(*serial);
    }
    return found;
}

} // namespace

std::string device_label(std::string_view serial)
{
    auto label = base::to_lower(serial);
    if (is_label(label)) return label;
    return "h-" + to_base32hex(crypto::sha256(as_bytes(serial))); // 256 bits are 52 characters
}

Result<void> check_serial_field(const std::string& name)
{
    if (name == kHardwareModuleName || crypto::is_attribute_type(name)) return {};
    return fail(
        Errc::config,
        fmt::format("\"{}\" is not an attribute of a certificate's subject", base::printable(name, 60)),
        "for example \"serialNumber\", \"commonName\", \"2.5.4.5\" or \"hardwareModuleName\"");
}

Result<std::string> device_serial(const crypto::Certificate& idevid, const SerialFields& fields)
{
    static const SerialFields kUsual{"serialNumber"};
    const auto& wanted = fields.empty() ? kUsual : fields;
    for (const auto& field : wanted) {
        ACMETOOL_TRY(found,
                     field == kHardwareModuleName ? hardware_serial(idevid) : attribute(idevid, field));
        if (found) return std::move(*found);
    }
    return no_serial(idevid, "no", base::join(wanted, ", "));
}

std::string random_label()
{
    return "r-" + to_base32hex(crypto::random_bytes(16));
}

} // namespace acmetool::enrol
