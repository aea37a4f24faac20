#include <algorithm>

#include "crypto/cms.h"
#include "crypto/path.h"
#include "enrol/binding.h"
#include "teap/server_impl.h"

/// From the PKCS#10 to the PKCS#7 or the matching error.
namespace acmetool::teap
{

using enrol::Refusal;

namespace
{

constexpr std::chrono::seconds kRetryLater{60};

} // namespace

std::uint32_t error_of(Refusal refusal, Asked asked)
{
    switch (refusal) {
    case Refusal::bad_identity:
        return error_code::kBadIdentityInCsr;
    case Refusal::bad_request:
    case Refusal::pop_failed:
        return error_code::kBadCsr;
    case Refusal::unauthenticated:
        return error_code::kClientCertificateRejected;
    case Refusal::forbidden:
    case Refusal::not_found:
        return error_code::kUnspecifiedAuthorization;
    case Refusal::too_many:
        return error_code::kInternalCaError;
    case Refusal::unavailable:
    case Refusal::internal:
        return asked == Asked::certificate ? error_code::kInternalCaError
                                           : error_code::kInfrastructureUnavailable;
    case Refusal::unsupported_algorithm:
        return error_code::kUnsupportedAlgorithmInCsr;
    case Refusal::unsupported_extension:
        return error_code::kUnsupportedExtensionInCsr;
    }
    return error_code::kInternalCaError;
}

void ServerSession::Impl::enrol(const Tlv& pkcs10)
{
    auto parsed = crypto::parse_csr(as_text(pkcs10.value));
    if (!parsed) {
        fail_with(error_code::kBadCsr, parsed.error().message);
        return;
    }
    enrol::EnrolRequest wanted;
    wanted.request_id = request_id;
    wanted.peer = peer();
    wanted.label = settings->label;
    const auto own = tls->channel_binding();
    wanted.binding = enrol::compare_binding(*parsed, own ? std::optional{*own} : std::nullopt);
    wanted.wait = settings->hold;
    if (own) wanted.binding_type = own->type;
    wanted.may_renew = true; // RFC 9930 has one message for both
    wanted.csr = std::move(*parsed);
    state = State::enrolling;
    authority.enrol(std::move(wanted), [self = shared_from_this()](const enrol::Decision& decision) {
        self->decided(decision);
    });
}

void ServerSession::Impl::decided(const enrol::Decision& decision)
{
    if (const auto* one = std::get_if<enrol::Issued>(&decision)) {
        issued(one->certificate);
    } else if (const auto* later = std::get_if<enrol::Pending>(&decision)) {
        pending(later->retry_after);
    } else {
        refuse(std::get<enrol::Refused>(decision), Asked::certificate);
    }
}

void ServerSession::Impl::refuse(const enrol::Refused& refused, Asked asked)
{
    Tlvs more;
    if (refused.why == Refusal::too_many || refused.why == Refusal::unavailable) {
        const auto wait = refused.retry_after.value_or(kRetryLater).count();
        more.push_back(retry_after_tlv(
            static_cast<std::uint32_t>(std::clamp<std::int64_t>(wait, 1, 7 * 86'400)), settings->numbers));
    }
    fail_with(error_of(refused.why, asked), refused.text, std::move(more));
}

void ServerSession::Impl::pending(std::chrono::seconds retry_after)
{
    const auto seconds = std::clamp<std::int64_t>(retry_after.count(), 1, 86'400);
    const auto when = retry_after_tlv(static_cast<std::uint32_t>(seconds), settings->numbers);
    if (std::chrono::seconds{seconds} > settings->retry_in_tunnel) {
        fail_with(settings->pending_error, "not issued yet", {when});
        return;
    }
    state = State::action;
    peer_wait = std::chrono::seconds{seconds};
    send_tlvs({error_tlv(settings->numbers.retry_same_tunnel), when});
}

/// The anchors of the CA, and of this server's certificate; with them, what leads from an anchor that the
/// peer may know to another (RFC 4210 section 4.4).
std::optional<Tlv> ServerSession::Impl::root_tlv() const
{
    auto all = authority.ca_certificates(settings->label).value_or(std::vector<crypto::Certificate>{});
    for (const auto& own : settings->own_anchors)
        if (std::none_of(all.begin(), all.end(),
                         [&](const auto& one) { return one.sha256() == own.sha256(); }))
            all.push_back(own);
    auto anchors = all;
    std::erase_if(anchors, [&](const auto& one) {
        return !crypto::is_self_signed(one) && !crypto::is_key_update(one, all);
    });
    if (anchors.empty()) return std::nullopt;
    const auto der = crypto::to_certs_only(anchors);
    if (!der) return std::nullopt;
    return trusted_server_root_tlv(*der);
}

void ServerSession::Impl::issued(const crypto::Certificate& certificate)
{
    const auto cas = authority.ca_certificates(settings->label).value_or(std::vector<crypto::Certificate>{});
    auto der = crypto::to_certs_only(crypto::issuer_chain(certificate, cas, crypto::ChainEnd::below_root));
    if (!der) {
        fail_with(error_code::kGeneralPkiError, der.error().message);
        return;
    }
    summary.enrolled = true;
    summary.serial = certificate.serial();
    state = State::result;
    Tlvs tlvs{{false, tlv_type::kPkcs7, std::move(*der)}};
    if (wants_root)
        if (auto root = root_tlv()) tlvs.push_back(std::move(*root));
    if (!settings->nai.empty()) {
        const auto nai = as_bytes(settings->nai);
        tlvs.push_back({false, settings->numbers.nai, {nai.begin(), nai.end()}});
    }
    if (!bound) tlvs.push_back(binding_request());
    tlvs.push_back(result_tlv(Status::success));
    send_tlvs(tlvs);
}

} // namespace acmetool::teap
