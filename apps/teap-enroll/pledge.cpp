#include "teap-enroll/pledge.h"

#include "brski/checks.h"
#include "brski/pledge.h"
#include "common/est_session.h"
#include "store/configured.h"

namespace acmetool::cli
{
namespace
{

struct Pledge {
    crypto::AnchorStore manufacturer;
    std::shared_ptr<const crypto::CrlSet> crls;
    http::TlsIdentity idevid;
    brski::Format format = brski::Format::cms;
    bool allow_nonceless = false;
    std::string nonce;
};

Result<void> check(const Pledge& pledge, ByteView voucher, const std::vector<crypto::Certificate>& server,
                   base::TimePoint now)
{
    const auto verdict =
        brski::check_voucher(voucher, {pledge.manufacturer, pledge.idevid.certificates.front(), pledge.nonce,
                                       pledge.allow_nonceless, now, server, pledge.crls});
    if (!verdict.report.good()) return fail(verdict.report.error("voucher"));
    if (!verdict.pinned)
        return fail(Errc::refused, "the voucher pins no certificate", {}, "pinned-domain-cert");
    return {};
}

} // namespace

Result<teap::Bootstrap> teap_pledge(const TeapOptions& options, base::Context& context)
{
    auto pledge = std::make_shared<Pledge>();
    ACMETOOL_TRY(anchors, store::read_configured_certificates(options.manufacturer_ta, "--manufacturer-ta"));
    pledge->manufacturer = crypto::AnchorStore{std::move(anchors)};
    ACMETOOL_TRY(crls, store::read_crl_files(options.crl, "--crl"));
    pledge->crls = std::move(crls);
    const bool own = !options.idevid.empty();
    ACMETOOL_TRY(idevid, http::load_identity(own ? options.idevid : options.cert,
                                             own ? options.idevid_key : options.key, ""));
    pledge->idevid = std::move(idevid);
    pledge->format = options.format == "jws" ? brski::Format::jws : brski::Format::cms;
    pledge->allow_nonceless = options.allow_nonceless;
    return teap::Bootstrap{
        [pledge, &context](const crypto::Certificate& server) -> Result<Bytes> {
            ACMETOOL_TRY(made, brski::sign_request(pledge->idevid, server, pledge->format, context.now()));
            pledge->nonce = made.nonce;
            return made.octets;
        },
        [pledge, &context](ByteView voucher, const std::vector<crypto::Certificate>& server) {
            return check(*pledge, voucher, server, context.now());
        }};
}

} // namespace acmetool::cli
