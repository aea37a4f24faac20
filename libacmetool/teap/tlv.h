#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "teap/numbers.h"

/// TLVs, outside and inside the tunnel (RFC 7170 section 4.2).
namespace acmetool::teap
{

struct Tlv {
    bool mandatory = false;
    std::uint16_t type = 0; ///< 14 bits
    Bytes value;

    bool operator==(const Tlv&) const = default;
};
using Tlvs = std::vector<Tlv>;

/// Reads TLVs that fill `octets`, at most 64. Errc::protocol, reason "teapTlv".
ACMETOOL_EXPORT Result<Tlvs> parse_tlvs(ByteView octets);
ACMETOOL_EXPORT Bytes encode(const Tlvs& tlvs);
ACMETOOL_EXPORT const Tlv* find(const Tlvs& tlvs, std::uint16_t type);

/// One message of a conversation, decrypted, for people and traces.
struct Shown {
    bool by_peer = false;
    std::string text;        ///< "TEAP Start, Authority-ID", "TLS handshake (234 octets)", "{Crypto-Binding,
                             ///< Result=Success}"
    Tlvs tlvs;               ///< those in it
    std::string device = {}; ///< enrol::holder_of() the peer's certificate, once the server has it
    bool inferred = false;   ///< somebody else sent it: what was received answers it
};
using Show = std::function<void(const Shown&)>;

enum class Status : std::uint16_t { success = 1, failure = 2 };

/// "PKCS#10", "Crypto-Binding"; "TLV 77" for an unknown number.
ACMETOOL_EXPORT std::string name_of_tlv(std::uint16_t type, const BrskiNumbers& numbers = {});
/// The name of an error code in RFC 7170 or RFC 9930, section 4.2.6; empty for an unknown one.
ACMETOOL_EXPORT std::string name_of_error(std::uint32_t code, const BrskiNumbers& numbers = {});
/// "1024 (bad identity in certificate signing request)"; only the number of an unknown one.
ACMETOOL_EXPORT std::string words_of_error(std::uint32_t code, const BrskiNumbers& numbers = {});
/// One line for people, of about 2,000 characters at most: "Result=Success", "PKCS#10 (206 octets)",
/// "Error=1024 (bad identity in CSR)".
ACMETOOL_EXPORT std::string describe(const Tlvs& tlvs, const BrskiNumbers& numbers = {});

ACMETOOL_EXPORT Tlv result_tlv(Status status);
ACMETOOL_EXPORT Tlv intermediate_result_tlv(Status status);
ACMETOOL_EXPORT Tlv error_tlv(std::uint32_t code);
ACMETOOL_EXPORT Tlv identity_type_tlv(std::uint16_t type); ///< 1 user, 2 machine
/// For an unknown mandatory TLV. Never in answer to a message with a Result TLV (section 4.2.5).
ACMETOOL_EXPORT Tlv nak_tlv(const Tlv& refused);
/// Process-TLV with `tlvs`; `status` is the result if the receiver does not act (errata 6157).
ACMETOOL_EXPORT Tlv request_action_tlv(Status status, const Tlvs& tlvs);
/// PKCS#7 certificates in a Trusted-Server-Root TLV; an empty view creates the request.
ACMETOOL_EXPORT Tlv trusted_server_root_tlv(ByteView pkcs7);
ACMETOOL_EXPORT Tlv retry_after_tlv(std::uint32_t seconds, const BrskiNumbers& numbers);

/// The content of a Request-Action TLV.
struct RequestAction {
    static constexpr std::uint8_t kProcessTlv = 1;
    static constexpr std::uint8_t kNegotiateEap = 2;

    Status status = Status::failure;
    std::uint8_t action = 0;
    Tlvs tlvs;
};

/// Values of single TLVs. Errc::protocol, reason "teapTlv".
ACMETOOL_EXPORT Result<Status> parse_result(const Tlv& tlv); ///< Result and Intermediate-Result
ACMETOOL_EXPORT Result<std::uint32_t> parse_error(const Tlv& tlv);
/// Also accepts the form of a known peer: an inner TLV that is only a bare type, without M and length.
ACMETOOL_EXPORT Result<RequestAction> parse_request_action(const Tlv& tlv);
/// The certificates, DER: of the inner PKCS#7 TLV or, as a known peer sends them, directly after the format.
/// Nothing if it is a request.
ACMETOOL_EXPORT Result<std::optional<Bytes>> parse_trusted_server_root(const Tlv& tlv);
ACMETOOL_EXPORT Result<std::uint32_t> parse_retry_after(const Tlv& tlv); ///< 1 to 4 octets

/// The first unknown mandatory TLV of `tlvs`, or null.
ACMETOOL_EXPORT const Tlv* unknown_mandatory(const Tlvs& tlvs, const BrskiNumbers& numbers);
/// Errc::protocol, reason "teapDuplicate", if a TLV that may occur only once occurs twice.
ACMETOOL_EXPORT Result<void> check_duplicates(const Tlvs& tlvs);

} // namespace acmetool::teap
