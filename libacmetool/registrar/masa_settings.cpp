#include "registrar/masa_settings.h"

#include <fmt/core.h>

#include "base/text.h"
#include "brski/idevid.h"
#include "http/tls_client.h"
#include "http/url.h"
#include "registrar/masa_login.h"
#include "store/certified_key.h"
#include "store/configured.h"

namespace acmetool::registrar
{
namespace
{

constexpr std::size_t kLargestReply = 1024 * 1024;

} // namespace

Result<std::vector<crypto::Certificate>> read_anchors(const std::vector<std::string>& files)
{
    std::vector<crypto::Certificate> anchors;
    for (const auto& file : files) {
        ACMETOOL_TRY(certificates, store::read_configured_certificates(file));
        anchors.insert(anchors.end(), certificates.begin(), certificates.end());
    }
    return anchors;
}

http::ClientOptions masa_http(const Options& options, const ManufacturerOptions& manufacturer)
{
    http::ClientOptions settings;
    settings.ca_file = manufacturer.masa_ca;
    settings.client_certificate = manufacturer.masa_certificate;
    settings.client_key = manufacturer.masa_key;
    settings.request_timeout = options.masa_timeout;
    settings.body_limit = kLargestReply;
    return settings;
}

Result<MasaSettings> read_masa_settings(const Options& options, const ManufacturerOptions& manufacturer)
{
    MasaSettings settings{manufacturer, masa_http(options, manufacturer), std::nullopt};
    if (!manufacturer.masa_ca.empty()) ACMETOOL_CHECK(read_anchors({manufacturer.masa_ca}));
    if (!manufacturer.masa_certificate.empty())
        ACMETOOL_CHECK(http::load_identity(manufacturer.masa_certificate, manufacturer.masa_key, ""));
    if (!manufacturer.masa_credentials.empty()) {
        ACMETOOL_TRY(credentials, read_masa_credentials(manufacturer.masa_credentials));
        settings.credentials = std::move(credentials);
    }
    return settings;
}

Result<void> may_ask(const ManufacturerOptions& manufacturer, const std::string& masa_url)
{
    if (!manufacturer.masa_url.empty()) {
        ACMETOOL_TRY(configured, brski::parse_masa_url(manufacturer.masa_url));
        if (configured == masa_url) return {};
    }
    ACMETOOL_TRY(url, http::parse_url(masa_url));
    for (const auto& host : manufacturer.masa_hosts)
        if (base::equals_ignoring_case(host, url.authority()) ||
            base::equals_ignoring_case(host, fmt::format("{}:{}", url.host, url.port)))
            return {};
    return fail(Errc::refused,
                fmt::format("the IDevID names the MASA {}, which is not among this manufacturer's",
                            base::printable(url.authority(), 100)),
                "add it to masa_hosts if it is right", "masaUrl");
}

} // namespace acmetool::registrar
