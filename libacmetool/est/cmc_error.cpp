#include "est/cmc_error.h"

#include <array>

#include <fmt/core.h>

#include "base/text.h"
#include "crypto/cms.h"
#include "crypto/der.h"

namespace acmetool::est
{
namespace
{

namespace der = crypto::der;

constexpr const char* kPkiResponse = "1.3.6.1.5.5.7.12.3"; // id-cct-PKIResponse
constexpr const char* kStatusInfo = "1.3.6.1.5.5.7.7.1";   // id-cmc-statusInfo
constexpr const char* kStatusInfoV2 = "1.3.6.1.5.5.7.7.25";
constexpr unsigned kBodyPart =
    1; // of our one control, and of the request it is about: a bare PKCS#10 has no number
constexpr int kSuccess = 0;

constexpr std::array<std::string_view, 14> kNames{
    "badAlg",         "badMessageCheck", "badRequest",  "badTime",     "badCertId",
    "unsupportedExt", "mustArchiveKeys", "badIdentity", "popRequired", "popFailed",
    "noKeyReuse",     "internalCAError", "tryLater",    "authDataFail"};

/// CMCStatusInfo and CMCStatusInfoV2 differ only in the reference to body parts, which is skipped here.
Result<CmcError> parse_status(ByteView value)
{
    der::Reader reader{value};
    CmcError error;
    ACMETOOL_TRY(status, reader.expect(der::kInteger, "cMCStatus"));
    ACMETOOL_TRY(number, der::small_integer(status.value, "cMCStatus"));
    error.status = number;
    ACMETOOL_CHECK(reader.expect(der::kSequence, "bodyList"));
    // UTF8String; other implementations write PrintableString or IA5String.
    if (reader.next_is(der::kUtf8String) || reader.next_is(0x13) || reader.next_is(0x16)) {
        ACMETOOL_TRY(text, reader.next("statusString"));
        error.text = as_text(text.value);
    }
    // Extended failure information (a SEQUENCE) is not supported.
    if (reader.next_is(der::kInteger)) {
        ACMETOOL_TRY(info, reader.next("failInfo"));
        ACMETOOL_TRY(fail_info, der::small_integer(info.value, "failInfo"));
        error.fail_info = static_cast<CmcFailInfo>(fail_info);
    }
    return error;
}

/// TaggedAttribute (RFC 5272 section 3.2.1.1): its status, if it has one.
Result<std::optional<CmcError>> parse_control(ByteView control)
{
    der::Reader reader{control};
    ACMETOOL_CHECK(reader.expect(der::kInteger, "bodyPartID"));
    ACMETOOL_TRY(type, reader.expect(der::kOid, "attrType"));
    ACMETOOL_TRY(oid, der::oid_text(type.value));
    ACMETOOL_TRY(values, reader.expect(der::kSet, "attrValues"));
    if (oid != kStatusInfo && oid != kStatusInfoV2) return std::nullopt;
    ACMETOOL_TRY(value, der::Reader{values.value}.expect(der::kSequence, "CMCStatusInfo"));
    ACMETOOL_TRY(status, parse_status(value.value));
    return std::optional{std::move(status)};
}

Result<CmcError> parse_response(ByteView content)
{
    der::Reader outer{content};
    ACMETOOL_TRY(response, outer.expect(der::kSequence, "PKIResponse"));
    der::Reader reader{response.value};
    ACMETOOL_TRY(controls, reader.expect(der::kSequence, "controlSequence"));
    std::optional<CmcError> found;
    for (der::Reader list{controls.value}; !list.at_end();) {
        ACMETOOL_TRY(control, list.expect(der::kSequence, "a control"));
        ACMETOOL_TRY(status, parse_control(control.value));
        if (status && (!found || found->status == kSuccess)) found = std::move(status);
    }
    if (!found) return fail(Errc::bad_input, "no status in the response");
    return std::move(*found);
}

tl::unexpected<Error> not_cmc(std::string_view why)
{
    return fail(Errc::protocol, fmt::format("not a CMC response: {}", why), {}, "notCmc");
}

} // namespace

std::string name_of(CmcFailInfo info)
{
    const auto number = static_cast<int>(info);
    if (number < 0 || static_cast<std::size_t>(number) >= kNames.size())
        return fmt::format("failInfo {}", number);
    return std::string{kNames[static_cast<std::size_t>(number)]};
}

std::string CmcError::describe() const
{
    auto line = fail_info ? name_of(*fail_info) : fmt::format("CMC status {}", status);
    if (!text.empty()) line += ": " + base::printable(text);
    return line;
}

Result<Bytes> to_cmc_error(CmcFailInfo info, std::string_view text, const crypto::Key& key,
                           const crypto::Certificate& signer, const std::vector<crypto::Certificate>& chain)
{
    constexpr unsigned kFailed = 2;
    ACMETOOL_TRY(type, der::oid(kStatusInfoV2));
    const Bytes status = der::element(
        der::kSequence, {der::integer(kFailed), der::element(der::kSequence, {der::integer(kBodyPart)}),
                         text.empty() ? Bytes{} : der::element(der::kUtf8String, as_bytes(text)),
                         der::integer(static_cast<unsigned>(info))});
    const Bytes control =
        der::element(der::kSequence, {der::integer(kBodyPart), type, der::element(der::kSet, {status})});
    const Bytes none = der::element(der::kSequence, ByteView{});
    return crypto::sign_data(
        key, signer,
        {.content_type = kPkiResponse,
         .content = der::element(der::kSequence, {der::element(der::kSequence, {control}), none, none}),
         .certificates = chain});
}

Result<CmcError> parse_cmc_error(ByteView bytes)
{
    const auto message = crypto::parse_signed_data(bytes);
    const bool wrapped = message && message->content_type == kPkiResponse;
    if (message && !wrapped) return not_cmc(fmt::format("content of type {}", message->content_type));
    if (!message && bytes.size() > crypto::kLargestCms) return not_cmc("too large");
    auto error = parse_response(wrapped ? ByteView{message->content} : bytes);
    if (!error) return not_cmc(error.error().message);
    if (!wrapped || message->signers == 0) return error;
    if (auto signers = crypto::verify_signed_data(*message)) {
        error->verified = true;
        error->signer = signers->front();
    }
    return error;
}

} // namespace acmetool::est
