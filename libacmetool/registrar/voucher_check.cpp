#include "registrar/voucher_check.h"

#include <fmt/core.h>

#include "base/text.h"
#include "base/time.h"
#include "brski/audit_log.h"
#include "brski/envelope.h"
#include "brski/voucher.h"
#include "crypto/anchor_store.h"

namespace acmetool::registrar
{
namespace
{

Result<crypto::Certificate> pinned_certificate(const brski::Voucher& voucher,
                                               const std::vector<crypto::Certificate>& registrar)
{
    auto pinned = brski::parse_certificate(voucher.pinned_domain_cert, registrar);
    if (!pinned) return fail(Errc::protocol, "the voucher has no pinned-domain-cert that can be read");
    return pinned;
}

} // namespace

Result<AcceptedVoucher> accept_voucher(const Record& record,
                                       const std::vector<crypto::Certificate>& registrar, ByteView octets,
                                       const std::string& type)
{
    const auto format = brski::format_of(type);
    if (!format)
        return fail(Errc::protocol,
                    fmt::format("the MASA sent \"{}\", no voucher", base::printable(type, 60)));
    ACMETOOL_TRY(content, brski::unverified_content(octets, *format));
    ACMETOOL_TRY(voucher, brski::parse_voucher(content));
    if (voucher.serial_number != record.serial)
        return fail(Errc::protocol, fmt::format("the voucher is for {}, and {} was asked for",
                                                base::printable(voucher.serial_number, 100), record.serial));
    if (!brski::same_nonce(voucher.nonce, record.nonce))
        return fail(Errc::protocol, voucher.nonce.empty()
                                        ? "the voucher is nonceless, and one with nonce was asked for"
                                        : "the voucher has another nonce");
    ACMETOOL_TRY(pinned, pinned_certificate(voucher, registrar));
    if (!registrar.empty() && !pinned.public_key().same_public_key(registrar.front().public_key()) &&
        !crypto::AnchorStore{{pinned}}.verify(registrar, crypto::PathPolicy::registrar(base::now())))
        return fail(Errc::protocol, "the voucher pins another domain than this registrar's");
    return AcceptedVoucher{std::string{brski::media_type(*format)}, brski::domain_id(pinned)};
}

Result<std::string> pinned_domain(const Record& record, const std::vector<crypto::Certificate>& registrar)
{
    const auto format = brski::format_of(record.voucher_type).value_or(brski::Format::cms);
    ACMETOOL_TRY(content, brski::unverified_content(record.voucher, format));
    ACMETOOL_TRY(voucher, brski::parse_voucher(content));
    ACMETOOL_TRY(pinned, pinned_certificate(voucher, registrar));
    return brski::domain_id(pinned);
}

Result<void> accept_log(const Options& options, const brski::OwnVouchers& own, std::string_view text)
{
    ACMETOOL_TRY(log, brski::parse_audit_log(text));
    return brski::judge(log, {options.known_domains, options.nonceless, options.other_domains}, own);
}

} // namespace acmetool::registrar
