#include "brski-pledge/options.h"

#include <algorithm>

#include <fmt/core.h>

#include "base/text.h"
#include "store/configured.h"
#include "store/secret_file.h"

namespace acmetool::cli
{
namespace
{

std::string_view name_of(brski::Outcome outcome)
{
    return outcome == brski::Outcome::passed ? "pass" : outcome == brski::Outcome::failed ? "FAIL" : "skip";
}

} // namespace

Result<brski::Format> format_of(const DeviceOptions& options)
{
    if (options.format == "cms") return brski::Format::cms;
    if (options.format == "jws") return brski::Format::jws;
    return fail(Errc::usage,
                fmt::format("--format: \"{}\" must be cms or jws", base::printable(options.format, 40)));
}

Result<http::TlsIdentity> read_idevid(const DeviceOptions& options, Io& io)
{
    if (options.idevid.empty() || options.key.empty())
        return fail(Errc::usage, "--idevid and --key are required",
                    "give the manufacturer's certificate of the device and its private key", "noKey");
    store::warn_if_exposed(options.key, "--key", io.context());
    store::warn_if_exposed(options.key_passphrase_file, "--key-passphrase-file", io.context());
    return http::load_identity(options.idevid, options.key, options.key_passphrase_file);
}

Result<crypto::AnchorStore> read_manufacturer(const DeviceOptions& options)
{
    if (options.manufacturer_ta.empty())
        return fail(Errc::usage, "--manufacturer-ta, the trust anchor for vouchers, is required");
    ACMETOOL_TRY(anchors, store::read_configured_certificates(options.manufacturer_ta, "--manufacturer-ta"));
    return crypto::AnchorStore{anchors};
}

Result<brski::PledgeOptions> pledge_options(const DeviceOptions& options, Io& io)
{
    brski::PledgeOptions pledge;
    ACMETOOL_TRY(idevid, read_idevid(options, io));
    pledge.idevid = std::move(idevid);
    ACMETOOL_TRY(format, format_of(options));
    pledge.format = format;
    pledge.allow_nonceless = options.nonceless;
    pledge.clock = !options.no_clock;
    if (!options.cloud.empty())
        pledge.cloud_anchors = crypto::TrustAnchors{{}, io.ca_file(), io.ca_file().empty()};
    if (const auto timeout = io.timeout()) {
        pledge.deadline = *timeout;
        pledge.tls.request_timeout = std::min(pledge.tls.request_timeout, *timeout);
    }
    return pledge;
}

Result<std::string> place_of(const DeviceOptions& options)
{
    if (options.registrar.empty() == options.cloud.empty())
        return fail(Errc::usage, "give one of --registrar and --cloud", "both are URLs: https://HOST:PORT",
                    "noServer");
    return options.registrar.empty() ? options.cloud : options.registrar;
}

std::unique_ptr<http::Transport> provisional(const http::TlsIdentity& identity, base::Context& context,
                                             const crypto::Certificate* expected)
{
    http::TlsClientOptions tls;
    tls.identity = identity;
    tls.trust.provisional = true;
    auto connection = std::make_unique<http::TlsClient>(tls, context);
    if (expected == nullptr) return std::make_unique<brski::PinnedTransport>(std::move(connection));
    return std::make_unique<brski::PinnedTransport>(std::move(connection), *expected);
}

std::string explained(const brski::Report& report)
{
    std::string text;
    for (const auto& check : report.checks)
        text += fmt::format("{}  {}: {} ({})\n", name_of(check.outcome), check.name,
                            base::printable(check.text), check.source);
    return text;
}

} // namespace acmetool::cli
